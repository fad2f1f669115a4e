// The page: what comes in goes to the parts that show it.

import { Curves } from "./curves.js";
import { Digits } from "./digits.js";
import { Live } from "./live.js";
import { Pictures } from "./pictures.js";
import { Status } from "./status.js";

const status = new Status();
const pictures = new Pictures();
const digits = new Digits();
const curves = new Curves((epoch) => pictures.showEpoch(epoch));
let run = null;

const hear = {
  link: (kind) => status.link(kind),
  pictures: (found) => pictures.set(found),
  state(said) {
    status.state(said);
    digits.allow(said.can_draw);
  },
  epochs(news) {
    run = news.run;
    curves.add(news);
    status.row = curves.rows.at(-1) ?? null;
    status.show();
  },
};

new Live(hear, () => ({ run, last: curves.rows.at(-1)?.epoch ?? 0 })).start();

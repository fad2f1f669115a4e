//! TensorFlow multiplies two matrices on the card that its container was given.

use std::time::Duration;

use lab_facts::TensorFlow;
use serde::Deserialize;

use crate::program::Program;
use crate::root::short;

/// What marks the line that counts among TensorFlow's own.
const MARK: &str = "LAB-ANSWER ";

/// The program. It ends itself when its time is up: who started it cannot end it there.
const PROGRAM: &str = r#"
import json, os, signal, sys
signal.alarm(int(sys.argv[1]))
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
gpus = tf.config.list_physical_devices("GPU")
for gpu in gpus:
    tf.config.experimental.set_memory_growth(gpu, True)
names = [tf.config.experimental.get_device_details(g).get("device_name", g.name) for g in gpus]
random = np.random.default_rng(1)
a = random.standard_normal((1024, 1024), dtype=np.float32)
b = random.standard_normal((1024, 1024), dtype=np.float32)
answer = {"version": tf.__version__, "devices": names, "computed_on": "", "right": False}
if gpus:
    with tf.device("/GPU:0"):
        product = tf.linalg.matmul(tf.constant(a), tf.constant(b))
    expected = a.astype(np.float64) @ b.astype(np.float64)
    answer["computed_on"] = product.device
    answer["right"] = bool(np.allclose(product.numpy(), expected, rtol=1e-2, atol=0.5))
print("LAB-ANSWER " + json.dumps(answer))
"#;

#[derive(Deserialize)]
struct Answer {
    version: String,
    devices: Vec<String>,
    computed_on: String,
    right: bool,
}

/// Multiplies in this container.
pub(crate) fn multiply(container: &str, limit: Duration) -> Result<TensorFlow, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if !container.starts_with(|c: char| c.is_ascii_alphanumeric()) || !container.chars().all(plain)
    {
        return Err(format!("`{}` is no name of a container", short(container)));
    }
    let seconds = limit.as_secs().max(1).to_string();
    let words = ["exec", container, "python", "-c", PROGRAM, &seconds];
    let said = Program::new("docker", words)
        .called("docker exec")
        .within(limit + Duration::from_secs(5))
        .run()?;
    match said.status.code() {
        Some(0) => parse(&said.out),
        // 128 and SIGALRM.
        Some(142) => Err(format!("TensorFlow took longer than {seconds} s")),
        _ => Err(format!(
            "TensorFlow failed ({}): {}",
            said.status,
            last_line(&said.err)
        )),
    }
}

/// The end of a trace is where Python says what went wrong.
fn last_line(text: &str) -> String {
    let lines = text.lines().rev();
    short(
        lines
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or_default(),
    )
}

fn parse(text: &str) -> Result<TensorFlow, String> {
    let line = text.lines().rev().find_map(|line| line.strip_prefix(MARK));
    let line = line.ok_or_else(|| format!("TensorFlow's program said `{}`", short(text)))?;
    let answer: Answer = serde_json::from_str(line)
        .map_err(|error| format!("TensorFlow's program said `{}`: {error}", short(line)))?;
    Ok(TensorFlow {
        version: answer.version,
        devices: answer.devices,
        computed_on: answer.computed_on,
        right: answer.right,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_found_among_other_lines() {
        let text = "I0000 gpu_device.cc\nLAB-ANSWER {\"version\":\"2.19.0\",\"devices\":\
                    [\"NVIDIA GeForce GTX 1050 Ti\"],\"computed_on\":\"/job:localhost/replica:0/\
                    task:0/device:GPU:0\",\"right\":true}\n";
        let read = parse(text).unwrap();
        assert!(read.right && read.computed_on.ends_with("GPU:0"));
        assert_eq!(read.version, "2.19.0");
        assert!(parse("Traceback (most recent call last)").is_err());
        assert!(parse("LAB-ANSWER {}").is_err());
    }

    #[test]
    fn a_failure_says_what_python_said_last() {
        assert_eq!(
            last_line("Traceback\n  x\nModuleNotFoundError: y\n\n"),
            "ModuleNotFoundError: y"
        );
        assert!(multiply("--privileged", Duration::from_secs(1)).is_err());
    }
}

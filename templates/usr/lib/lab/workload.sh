# shellcheck shell=bash disable=SC2034,SC2154
# What units share that run a container.
image=${image:?}

# The image by what it was when it was first pulled: a tag may move meanwhile.
image_present() {
    [[ -s $done_dir/$unit.image ]] && docker image inspect "$(<"$done_dir/$unit.image")" >/dev/null 2>&1 &&
        [[ $(<"$done_dir/$unit.image-name") == "$image" ]]
}

pull_image() {
    wait_for 60 "Docker does not answer" docker info
    if image_present; then
        return
    fi
    say "pulls $image"
    has_route || wait_for 10 "there is no network (no default route)" has_route
    if ! in_background docker pull --quiet "$image" >"$log" 2>&1; then
        cat "$log" >&2
        disk_is_full && later_full
        case $(<"$log") in
            *'manifest unknown'* | *'not found'* | *'manifest invalid'*)
                stop "the registry has no $image: $(tail -n 1 "$log")" "correct jupyter.image" ;;
            *) later "pulling $image: $(tail -n 1 "$log")" ;;
        esac
    fi
    docker image inspect --format '{{.Id}}' "$image" | put 0644 "$done_dir/$unit.image"
    put 0644 "$done_dir/$unit.image-name" <<<"$image"
}

# shellcheck shell=bash disable=SC2034,SC2154
# What units share that run a container. A locked image is known by digests: its id is that
# of its configuration, or of its manifest where containerd keeps the images (Docker 29).
image=${image:?}
image_locked=${image_locked:-}
image_tag=${image_tag:-}
image_manifest=${image_manifest:-}
image_config=${image_config:-}

# The image by what it was when it was first pulled: a tag may move meanwhile.
image_present() {
    local id
    [[ -s $done_dir/$unit.image ]] || return 1
    id=$(<"$done_dir/$unit.image")
    docker image inspect "$id" >/dev/null 2>&1 && [[ $(<"$done_dir/$unit.image-name") == "$image" ]] && is_locked_id "$id"
}

# Whoever may ask Docker can give the name of a locked image to another.
image_named() {
    [[ -z $image_tag || $(docker image inspect --format '{{.Id}}' "$image_tag" 2>/dev/null) == "$(<"$done_dir/$unit.image")" ]]
}

name_image() { # ID
    [[ -z $image_tag ]] || attempt "naming $image_tag" docker tag "$1" "$image_tag"
}

is_locked_id() { # ID
    [[ -z $image_locked || $1 == "sha256:$image_config" || $1 == "sha256:$image_manifest" ]]
}

pull_image() {
    local name=$image id
    wait_for 60 "Docker does not answer" docker info
    if image_present; then
        name_image "$(<"$done_dir/$unit.image")"
        return
    fi
    if load_image; then
        name=$image_tag
    elif [[ -n $image_locked ]]; then
        download_image "$image_locked"
        name=$image_locked
    else
        download_image "$image"
    fi
    id=$(docker image inspect --format '{{.Id}}' "$name")
    is_locked_id "$id" || stop "$image is not what is locked: its id is $id, expected is sha256:$image_config" \
        "the image was changed under way: sudo docker image rm $name, then sudo lab retry $unit"
    name_image "$id"
    put 0644 "$done_dir/$unit.image" <<<"$id"
    put 0644 "$done_dir/$unit.image-name" <<<"$image"
}

download_image() { # NAME
    say "pulls $1"
    has_route || wait_for 10 "there is no network (no default route)" has_route
    in_background docker pull --quiet "$1" >"$log" 2>&1 && return
    cat "$log" >&2
    disk_is_full && later_full
    case $(<"$log") in
        *'manifest unknown'* | *'not found'* | *'manifest invalid'*)
            stop "the registry has no $1: $(tail -n 1 "$log")" "correct jupyter.image" ;;
        *) later "pulling $1: $(tail -n 1 "$log")" ;;
    esac
}

# load_image: the locked image out of the payload; fails where that does not have it whole.
load_image() {
    local parts=() part manifest=$payload/blobs/$image_manifest head
    [[ -n $image_locked ]] && offline_is_for_this_lock && [[ -f $manifest ]] || return 1
    mapfile -t parts < <(jq -r '.config.digest, .layers[].digest' "$manifest" | sed 's/^sha256://' | awk '!seen[$0]++')
    parts+=("$image_manifest")
    say "looks through the image $image that came along"
    for part in "${parts[@]}"; do
        if ! has_sha256 "$payload/blobs/$part" "$part"; then
            printf 'the payload does not have all of %s: %s is missing or damaged\n' "$image" "$part" >&2
            return 1
        fi
    done
    say "loads the image $image that came along"
    head=$(mktemp -d)
    write_image_head "$manifest" "$head"
    # As a stream: the image is gigabytes, and Docker makes its own copy.
    if ! in_background docker load --quiet --input <(stream_image "$head" "${parts[@]}") >"$log" 2>&1; then
        rm -rf "$head"
        cat "$log" >&2
        disk_is_full && later_full
        later "loading $image: $(tail -n 1 "$log")"
    fi
    rm -rf "$head"
}

# The three small files of an archive that every Docker reads: manifest.json as `docker save`
# writes it, and an OCI image layout 1.0, by which containerd keeps the manifest as it is.
write_image_head() { # MANIFEST FOLDER
    jq --compact-output --arg tag "$image_tag" '
        def path: .digest | sub("^sha256:"; "blobs/sha256/");
        [{Config: (.config | path), RepoTags: [$tag], Layers: [.layers[] | path]}]' "$1" >"$2/manifest.json"
    jq --compact-output --arg tag "$image_tag" --arg digest "sha256:$image_manifest" --argjson size "$(stat -c %s "$1")" '
        {schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [{
            mediaType: (.mediaType // "application/vnd.oci.image.manifest.v1+json"), digest: $digest, size: $size,
            annotations: {"io.containerd.image.name": $tag, "org.opencontainers.image.ref.name": ($tag | sub(".*:"; ""))}}]}' \
        "$1" >"$2/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$2/oci-layout"
}

stream_image() { # FOLDER SHA256...
    local folder=$1
    shift
    tar --create --file - --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=0644 \
        --transform 's,^[0-9a-f]\{64\}$,blobs/sha256/&,' \
        --directory "$folder" oci-layout index.json manifest.json --directory "$payload/blobs" "$@"
}

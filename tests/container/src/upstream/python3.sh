#!/bin/sh
# The training needs TensorFlow, which this image has not; all else of it runs as it is.
case "$1 $2 $3" in
    '-m dcgan train') shift 2 && exec /usr/bin/python3 /usr/local/lib/dcgan-train.py "$@" ;;
esac
exec /usr/bin/python3 "$@"

#!/bin/sh
# Stands in for python3 where there is no network: the system's, except that a virtual environment is
# a folder that leads back to the system's programs, and that pip installs nothing.
if [ "$1" = -m ]; then
  case $2 in
    venv | virtualenv)
      for folder in "$@"; do :; done
      programs=$(dirname "$0")
      mkdir -p "$folder/bin" || exit 1
      : >"$folder/bin/activate"
      ln -sf /usr/bin/python3 "$folder/bin/python3"
      ln -sf /usr/bin/python3 "$folder/bin/python"
      for program in pip pip3 pytest; do ln -sf "$programs/$program" "$folder/bin/$program"; done
      exit 0
      ;;
    pip | ensurepip) exit 0 ;;
    pytest)
      shift 2
      # The current folder is where modules are looked for last, lest one there hides the library's.
      exec /usr/bin/python3 -P -c 'import os, sys, pytest
sys.path.append(os.getcwd())
sys.exit(pytest.console_main())' "$@"
      ;;
  esac
fi
exec /usr/bin/python3 "$@"

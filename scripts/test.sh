#!/usr/bin/env bash
# Sets a clone up and passes the tests; arguments go to the test runner.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/bootstrap.sh
npm test -- "$@"

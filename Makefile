# The verbs of this workspace. Each is a script in scripts/, which says at its
# top what it does. `ARGS` goes through: make test ARGS='-E "test(charge)"'.

.DEFAULT_GOAL := help
.PHONY: help run test bench points lint proto

help:
	@echo 'make run     build, start ledger and gateway on SQLite in ./run, print a charge to paste'
	@echo 'make test    all tests, on SQLite and on a throwaway PostgreSQL that ends with them'
	@echo 'make lint    format, clippy, rustdoc, buf lint, shell syntax; what CI checks before the tests'
	@echo 'make proto   check proto/ and make the Python stubs of docs/examples anew'
	@echo 'make bench   release build and the measurements of docs/performance.md'
	@echo 'make points  take each point of the write path out and see that a test notices (15 minutes)'
	@echo
	@echo 'Pass arguments with ARGS, e.g.  make test ARGS=request_id'
	@echo 'What is missing (PostgreSQL, Node.js for buf, a Python venv) is installed by the'
	@echo 'package manager of the system, or into target/.'

run:
	@scripts/run.sh $(ARGS)

test:
	@scripts/test.sh $(ARGS)

bench:
	@scripts/bench.sh $(ARGS)

points:
	@scripts/points.py $(ARGS)

lint:
	@scripts/lint.sh $(ARGS)

proto:
	@scripts/proto.sh $(ARGS)

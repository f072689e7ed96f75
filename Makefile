# The two commands of the README, and their relatives. Everything they need they make themselves, in ~/.cache/odooops-stack.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test test-fast test-nightly bench bench-migration bench-addon docs build clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## Deploy everything into one container, prove that it works, and leave it running
	tools/demo up

demo-down: ## Remove the demo, with all its data
	tools/demo down

test: ## Run all tests
	tools/test ci

test-fast: ## Run the tests that need no containers
	tools/test fast

test-nightly: ## Run all tests, and the full cross product
	tools/test nightly

bench: ## Time the modules, and single requests of the addon, against their peers
	tools/minio
	tools/run --no-sandbox python tests/benchmark/single_requests.py
	tools/run --no-sandbox python tests/benchmark/s3_bucket.py

bench-migration: ## Time the upload of a filestore against rclone, s5cmd and others; ARGUMENTS=--help says what can be chosen
	tools/minio
	python=$$(tools/peers)/bin/python && tools/run --no-sandbox python tests/benchmark/migration.py --python=$$python $(ARGUMENTS)

bench-addon: ## Time attachments against Odoo's own filestore and OCA's addon; ARGUMENTS=--help says what can be chosen
	tools/run molecule converge -s bench_addon
	tools/run podman exec -i bench_addon-odoo /opt/odoo/venv/bin/python - $(ARGUMENTS) <tests/benchmark/addon.py
	tools/run molecule destroy -s bench_addon

docs: ## Write the tables of variables in the roles' READMEs
	tools/run --no-sandbox tools/docs

build: ## Build the collection's tarball
	tools/run --no-sandbox ansible-galaxy collection build --force

clean: ## Remove the containers, images and caches of the tools
	tools/clean

# Every command of Tessera; `make help` lists them.
PYTHON ?= python3
tools = .venv/bin/python -m tools
evidence = .venv/bin/python -m evidence
# Labels of the images and part of their provenance, so without a login that the remote's URL may contain.
revision = REVISION=$$(git rev-parse HEAD) SOURCE=$$(git remote get-url origin 2>/dev/null | sed 's|//[^/@]*@|//|')
ATTESTATIONS = --provenance=mode=max --sbom=true
canary-% blue-green-%: S ?= users-ms
# With it, as some machines set it, each of hundreds of processes would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv up down clean status logs demo demo-oidc admin import export manage images push release backup restore deploy test test-more compose-test cluster-test chaos brokers load bench experiments fuzz lint format generate requirements breached-passwords dashboards audit sbom soak states dev seed shell cover mutants docs-test docs new-service \
	minikube kubernetes-lint canary-start canary-status canary-promote canary-abort \
	blue-green-start blue-green-status blue-green-promote blue-green-finish blue-green-abort

##@ Run
help: ##! list the commands (ALL=1: every command)
	@awk -v all="$(ALL)" -F ':.*##!? ' \
		'/^##@/ { group = substr($$0, 5) } \
		/^[a-z-]+[a-z -]*:.*##/ && (all || /##!/) { \
			if (group) { printf "\n%s\n", group; group = "" } \
			split($$1, names, " "); printf "  make %-18s %s\n", names[1], $$2 } \
		END { if (!all) print "\nEvery command: make help ALL=1" }' $(MAKEFILE_LIST)

up: venv ##! start the stack: with Docker Compose if an engine answers, else as local processes (UP=compose|local)
	@$(tools) up

down: venv ##! stop the stack and keep its data
	@$(tools) down

status: venv ##! show the running processes
	@$(tools) status

logs: venv ##! follow the logs (P=users-ms: of one process)
	@$(tools) logs $(P)

demo: venv ##! tour the running stack: sign up, log in, read the mail
	@$(tools) demo

demo-oidc: venv ## tour of an application that signs in with OpenID Connect, calls an API, and learns of a logout
	@$(tools) demo-oidc

admin: venv ##! create an admin: EMAIL=you@example.org (password by prompt, ADMIN_PASSWORD_FILE or ADMIN_PASSWORD; PROMOTE=yes: promote a verified user)
	@test -n "$(EMAIL)" || { echo "EMAIL is missing: make admin EMAIL=you@example.org"; exit 2; }
	@$(tools) admin "$(EMAIL)" $(if $(PROMOTE),--promote)

import: venv ## import users of another system with their passwords: FILE=users.ndjson [FORMAT=csv|keycloak|auth0|firebase|django]
	@test -n "$(FILE)" || { echo "FILE is missing: make import FILE=users.ndjson"; exit 2; }
	@$(tools) import "$(FILE)" --format "$(FORMAT)" $(if $(PARAMETERS),--parameters "$(PARAMETERS)")

export: venv ## all users with their password hashes, as an import reads them: FILE=users.ndjson; USER_ID=42: all data of one user
	@$(tools) export $(if $(FILE),--file "$(FILE)") $(if $(USER_ID),--user "$(USER_ID)")

dev: venv ##! run the stack in the foreground with demo data and code reloading; Ctrl-C stops it
	@$(tools) dev

clean: venv ## stop the stack and delete its data and secrets
	@$(tools) clean

seed: venv ## add example users, sessions and mails to the running stack; repeatable
	@$(tools) seed

manage: venv ## run a manage.py command of a service: S=auth C="rotate_signing_key"
	@$(tools) manage $(S) $(C)

shell: venv ## open a Python shell with the models of a service: S=users
	@test -n "$(S)" || { echo "S is missing: make shell S=users"; exit 2; }
	@$(tools) manage $(S) shell

##@ Develop
venv: # the Python packages, into .venv
	@$(PYTHON) tools/environments.py

lint: venv kubernetes-lint ##! check style, types, imports, secrets, settings, migrations, kustomize/ and documents
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@! command -v node >/dev/null || node --check examples/express/app.js
	@.venv/bin/mypy
	@PYTHONPATH=.:users:auth:notification .venv/bin/lint-imports --no-cache --no-logo
	@.venv/bin/bandit --quiet --recursive --severity-level medium --configfile pyproject.toml chassis users auth notification installation local tools evidence examples
	@git ls-files -z | xargs -0 .venv/bin/detect-secrets-hook --baseline .secrets.baseline
	@$(tools) generate --check
	@$(tools) check-documents
	@$(tools) audit --lint
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.renovate renovate.json

format: venv ## format the code
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

generate: venv ## regenerate OpenAPI, configuration and other generated documents
	@$(tools) generate

requirements: venv ## lock the newest versions that requirements/*.in and examples/ allow
	@cd requirements && for name in users auth notification dev bench loadtest experiments kubernetes docs mutation oidc openapi-generator; do \
		../.venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 $$name.in -o $$name.txt || exit 1; \
	done
	@cd examples/flask && ../../.venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
		requirements.in -o requirements.txt

new-service: venv ## create a service from the template: NAME=billing [OUTBOX=yes: it publishes events]
	@test -n "$(NAME)" || { echo "NAME is missing: make new-service NAME=billing"; exit 2; }
	@$(tools) new-service $(NAME) $(if $(OUTBOX),--outbox)

docs: ## build the documentation site into site/ (needs npm)
	@$(PYTHON) tools/environments.py docs
	@.venv-docs/bin/python -m tools.documents.site

breached-passwords: venv ## regenerate the filter of common breached passwords (needs npm)
	@PYTHONPATH=users .venv/bin/python -m tools.breached_passwords

##@ Test
test: venv ##! run the main tests in minutes, on a separate stack (S=users: only that service; ARGS="-k login" for pytest)
	@$(tools) test $(if $(S),--service=$(S)) -- $(ARGS)

test-more: venv ## run all other tests: console, TLS, outages, observability, documents, fuzzing, faults (ARGS="-k tls")
	@$(tools) test-more -- $(ARGS)

cover: venv ## measure line and branch coverage of chassis and services by their own tests
	@$(tools) cover -- $(ARGS)

mutants: venv ## change domain code in a copy and show which changes its tests miss (T="lockout relay"; all by default)
	@$(PYTHON) tools/environments.py mutation
	@$(tools) mutants $(T)

docs-test: venv ## run the commands in README.md and the guides and compare the output (D=README.md: one document)
	@$(tools) docs-test $(D)

compose-test: venv ## run the black-box tests and container tests on a separate Compose project
	@$(tools) compose-test -- $(ARGS)

cluster-test: venv ## run the black-box tests and orchestration tests on the current cluster (CLUSTER_TEST_CONTEXTS=name allows it)
	@$(tools) cluster-test -- $(ARGS)

brokers: venv ## run the event tests on RabbitMQ 3.10, 4.0 and 4.3, with classic and quorum queues (as root; ARGS="-k order")
	@$(tools) brokers -- $(ARGS)

kubernetes-lint: ## build and validate every overlay and combination of components
	@$(PYTHON) tools/environments.py kubernetes
	@PYTHONPATH=. .venv-kubernetes/bin/python -m pytest kustomize/tests --quiet $(ARGS)

audit: venv ## check the locked packages for known vulnerabilities
	@$(tools) audit

##@ Deploy
images: ## build the images for this machine's processor (VERSION=: another version)
	@PLATFORMS= VERSION=$(or $(VERSION),$(shell cat VERSION)) $(revision) docker buildx bake --file docker-bake.hcl --load

push: ## build the images for amd64 and arm64 and push them with SBOM and provenance: REGISTRY=... VERSION=0.2.0
	@test -n "$(REGISTRY)" -a -n "$(VERSION)" || { echo "REGISTRY or VERSION is missing: make push REGISTRY=... VERSION=0.2.0"; exit 2; }
	@test "$(VERSION)" != latest || { echo "VERSION must be a version number, not latest."; exit 2; }
	@mkdir -p sbom
	@REGISTRY=$(REGISTRY) VERSION=$(VERSION) $(revision) docker buildx bake --file docker-bake.hcl --metadata-file=sbom/images.json \
		$(ATTESTATIONS) --push

release: venv ## commit and tag a version, and write its files into release/: VERSION=0.2.0 [REGISTRY=...]
	@test -n "$(VERSION)" || { echo "VERSION is missing: make release VERSION=0.2.0"; exit 2; }
	@$(tools) release "$(VERSION)" --registry "$(REGISTRY)"

deploy: venv ## update the services in Compose one by one under load
	@$(tools) deploy

backup: venv ## back up the three databases into one file below backups/
	@$(tools) backup

restore: venv ## replace all data with a backup: FILE=tessera-....tar
	@test -n "$(FILE)" || { echo "FILE is missing: make restore FILE=tessera-....tar"; exit 2; }
	@$(tools) restore "$(FILE)"

minikube: venv ## start the stack on the current Kubernetes cluster (CLUSTER_CONTEXTS=name allows another context)
	@$(tools) minikube

canary-start: venv ## route a share of the requests to another version: VERSION=0.2.0 [WEIGHT=20] [S=users-ms]
	@$(tools) canary start $(S) --version "$(VERSION)" --weight $(or $(WEIGHT),20)

canary-status canary-promote canary-abort: venv # look at it, give it everything, take it away
	@$(tools) canary $(@:canary-%=%) $(S)

blue-green-start: venv ## start a second set of pods with another version, without traffic: VERSION=0.2.0 [S=users-ms]
	@$(tools) blue-green start $(S) --version "$(VERSION)"

blue-green-status blue-green-promote blue-green-finish blue-green-abort: venv # look, switch, keep it, switch back
	@$(tools) blue-green $(@:blue-green-%=%) $(S)

sbom: venv ## write the CycloneDX SBOM of each service into sbom/ (VERSION=: another version)
	@$(tools) sbom --version $(or $(VERSION),$(shell cat VERSION))

##@ Evidence
chaos: venv ## inject faults under load and check the invariants (SEED=7, ARGS="-k broker", REPORT=docs/chaos.md, ON=compose|cluster)
	@SEED="$(SEED)" REPORT="$(REPORT)" $(evidence) chaos --on $(or $(ON),local) -- $(ARGS)

fuzz: venv ## send generated requests (CASES=2000 per service) and 10,000 malformed messages (SEED=7, REPORT=docs/fuzz.md)
	@SEED="$(SEED)" REPORT="$(REPORT)" $(evidence) fuzz --cases $(or $(CASES),2000)

soak: venv ## hold 70 % of the saturation for TIME=15m, then overload (REPORT=docs/soak.md)
	@REPORT="$(REPORT)" $(evidence) soak --time $(or $(TIME),15m)

states: venv ## run random account histories of owner, attacker and admin for TIME=10m and check invariants (SEED=21)
	@SEED="$(SEED)" $(evidence) states --time $(or $(TIME),10m)

load: ## send bounded load to the running stack: LOAD=constant|steps|spike|soak USERS=20 TIME=2m URL=http://127.0.0.1:8080 TAGS=login
	@$(PYTHON) tools/environments.py experiments
	@LOAD="$(LOAD)" .venv-experiments/bin/locust --locustfile loadtest/locustfile.py --headless --only-summary \
		--host $(or $(URL),http://127.0.0.1:$(or $(GATEWAY_PORT),8080)) --users $(or $(USERS),20) --spawn-rate 5 \
		--run-time $(or $(TIME),2m) $(if $(TAGS),--tags $(TAGS))

bench: ## run the benchmarks and write docs/performance.md (B="logins reads": some)
	@$(PYTHON) tools/environments.py bench
	@.venv-bench/bin/python -m evidence.bench $(B)

experiments: venv ## run the experiments and write docs/experiments/ (E=queue-sharing: one; DRAW=1: only redraw)
	@$(PYTHON) tools/environments.py experiments
	@.venv/bin/python -m evidence.experiments $(E) $(if $(DRAW),--draw)

dashboards: ## draw the dashboards from a running Prometheus: PROMETHEUS=http://127.0.0.1:9090 MINUTES=15 TO=docs/images
	@$(PYTHON) tools/environments.py experiments
	@.venv-experiments/bin/python observability/draw.py "$(or $(PROMETHEUS),http://127.0.0.1:9090)" $(or $(MINUTES),15) "$(or $(TO),docs/images)"

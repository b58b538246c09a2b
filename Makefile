# Every command of Tessera; `make help` lists them.
PYTHON ?= python3
tools = .venv/bin/python -m tools
evidence = .venv/bin/python -m evidence
revision = REVISION=$$(git rev-parse HEAD) SOURCE=$$(git remote get-url origin 2>/dev/null)
canary-% blue-green-%: S ?= users-ms

.DEFAULT_GOAL := help
.PHONY: help venv up down clean status logs demo admin manage images push backup restore deploy test compose-test cluster-test chaos brokers load bench experiments fuzz lint format generate requirements breached-passwords dashboards audit sbom soak states dev seed shell cover docs-test docs new-service \
	minikube cluster-secrets kubernetes-lint canary-start canary-status canary-promote canary-abort \
	blue-green-start blue-green-status blue-green-promote blue-green-finish blue-green-abort

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: # the Python packages, into .venv
	@$(PYTHON) tools/environments.py

up: venv ## start everything: Docker Compose where an engine answers, else local processes (UP=compose|local forces one)
	@$(tools) up

down: venv ## stop everything and keep the data
	@$(tools) down

clean: venv ## stop everything and forget data and secrets
	@$(tools) clean

status: venv ## show what runs
	@$(tools) status

logs: venv ## follow the logs (P=users-ms for one program)
	@$(tools) logs $(P)

dev: venv ## everything as local processes in the foreground, started anew when code changes, with demo data; Ctrl-C ends it
	@$(tools) dev

seed: venv ## add people in many languages, sessions and mails to the running stack (again: what is missing)
	@$(tools) seed

demo: venv ## a tour of the running stack: sign up, log in, read the mail
	@$(tools) demo

admin: venv ## create an admin, EMAIL=you@example.org (password by prompt, ADMIN_PASSWORD_FILE or ADMIN_PASSWORD; PROMOTE=yes: of a verified user)
	@test -n "$(EMAIL)" || { echo "Say who: make admin EMAIL=you@example.org"; exit 2; }
	@$(tools) admin "$(EMAIL)" $(if $(PROMOTE),--promote)

manage: venv ## run a command of a service's manage.py: make manage S=auth C="rotate_signing_key"
	@$(tools) manage $(S) $(C)

shell: venv ## a Python shell with the models of a service: make shell S=users
	@test -n "$(S)" || { echo "Say whose: make shell S=users"; exit 2; }
	@$(tools) manage $(S) shell

images: ## build the images of this version for this machine's processor (VERSION=0.1.0)
	@PLATFORMS= VERSION=$(or $(VERSION),0.1.0) $(revision) docker buildx bake --file docker-bake.hcl --load

push: ## build the images for amd64 and arm64 and push them, with SBOM and provenance: make push REGISTRY=... VERSION=0.1.0
	@test -n "$(REGISTRY)" -a -n "$(VERSION)" || { echo "Say where and which: make push REGISTRY=... VERSION=0.1.0"; exit 2; }
	@test "$(VERSION)" != latest || { echo "A version is a number; latest says nothing."; exit 2; }
	@mkdir -p sbom
	@REGISTRY=$(REGISTRY) VERSION=$(VERSION) $(revision) docker buildx bake --file docker-bake.hcl --metadata-file=sbom/images.json \
		--provenance=mode=max --sbom=true --push

backup: venv ## write the three databases into one file below backups/
	@$(tools) backup

restore: venv ## replace all data with that of a backup: make restore FILE=tessera-....tar
	@test -n "$(FILE)" || { echo "Say which: make restore FILE=tessera-....tar"; exit 2; }
	@$(tools) restore "$(FILE)"

deploy: venv ## replace the services in Compose one by one while requests come
	@$(tools) deploy

minikube: venv ## start everything on the current Kubernetes cluster, one of your own (CLUSTER_CONTEXTS=name to allow another)
	@$(tools) minikube

cluster-secrets: venv ## make the secrets of kustomize/overlays/minikube, once (git-ignored files)
	@$(tools) cluster-secrets

canary-start: venv ## send a share of the requests to another version: VERSION=0.2.0 [WEIGHT=20] [S=users-ms]
	@$(tools) canary start $(S) --version "$(VERSION)" --weight $(or $(WEIGHT),20)

canary-status canary-promote canary-abort: venv # look at it, give it everything, take it away
	@$(tools) canary $(@:canary-%=%) $(S)

blue-green-start: venv ## a second set of pods with another version, without requests: VERSION=0.2.0 [S=users-ms]
	@$(tools) blue-green start $(S) --version "$(VERSION)"

blue-green-status blue-green-promote blue-green-finish blue-green-abort: venv # look, switch, keep it, switch back
	@$(tools) blue-green $(@:blue-green-%=%) $(S)

test: venv ## run all tests on a stack of their own; S=users: only its own tests (ARGS="-k login" goes to pytest)
	@$(tools) test $(if $(S),--service=$(S)) -- $(ARGS)

cover: venv ## which lines and branches of chassis and the services their own tests run
	@$(tools) cover -- $(ARGS)

docs-test: venv ## type what README.md and the guides say, in a copy, and compare what comes out (D=README.md for one)
	@$(tools) docs-test $(D)

compose-test: venv ## run the tests across services on containers of their own, and tests of the containers (exits with 2 without an engine)
	@$(tools) compose-test -- $(ARGS)

cluster-test: venv ## run the tests across services and tests of orchestration on the current cluster (CLUSTER_TEST_CONTEXTS=name allows it)
	@$(tools) cluster-test -- $(ARGS)

chaos: venv ## hurt every part under load, compare what clients were told with what is there (SEED=7, ARGS="-k broker", REPORT=docs/chaos.md, ON=compose|cluster)
	@SEED="$(SEED)" REPORT="$(REPORT)" $(evidence) chaos --on $(or $(ON),local) -- $(ARGS)

soak: venv ## hold 70 % of what this machine can do for TIME=15m, then three times more than it can do (REPORT=docs/soak.md)
	@REPORT="$(REPORT)" $(evidence) soak --time $(or $(TIME),15m)

brokers: venv ## run the tests of events on RabbitMQ 3.10, 4.0 and 4.3 of Debian, classic and quorum queues (as root; ARGS="-k order")
	@$(tools) brokers -- $(ARGS)

load: ## people on the stack that runs, bounded: LOAD=constant|steps|spike|soak USERS=20 TIME=2m URL=http://127.0.0.1:8080 TAGS=login
	@$(PYTHON) tools/environments.py experiments
	@LOAD="$(LOAD)" .venv-experiments/bin/locust --locustfile loadtest/locustfile.py --headless --only-summary \
		--host $(or $(URL),http://127.0.0.1:$(or $(GATEWAY_PORT),8080)) --users $(or $(USERS),20) --spawn-rate 5 \
		--run-time $(or $(TIME),2m) $(if $(TAGS),--tags $(TAGS))

bench: ## measure how fast it is, as ratios, and write them into docs/performance.md: all, or B="logins reads"
	@$(PYTHON) tools/environments.py bench
	@.venv-bench/bin/python -m evidence.bench $(B)

dashboards: ## draw the dashboards' panels from a running Prometheus: PROMETHEUS=http://127.0.0.1:9090 MINUTES=15 TO=docs/images
	@$(PYTHON) tools/environments.py experiments
	@.venv-experiments/bin/python observability/draw.py "$(or $(PROMETHEUS),http://127.0.0.1:9090)" $(or $(MINUTES),15) "$(or $(TO),docs/images)"

experiments: venv ## measure, draw and report into docs/experiments/: all, or E=queue-sharing (DRAW=1: only draw anew)
	@$(PYTHON) tools/environments.py experiments
	@.venv/bin/python -m evidence.experiments $(E) $(if $(DRAW),--draw)

fuzz: venv ## thousands of generated requests (CASES=2000 a service) and 10,000 malformed messages (SEED=7, REPORT=docs/fuzz.md)
	@SEED="$(SEED)" REPORT="$(REPORT)" $(evidence) fuzz --cases $(or $(CASES),2000)

states: venv ## random lives of accounts by owner, attacker and admin for TIME=10m, with what must hold after every step (SEED=21)
	@SEED="$(SEED)" $(evidence) states --time $(or $(TIME),10m)

lint: venv kubernetes-lint ## check style, types, secrets, settings, migrations, kustomize/ and that documents are current
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@PYTHONPATH=.:users:auth:notification .venv/bin/lint-imports --no-cache --no-logo
	@.venv/bin/bandit --quiet --recursive --severity-level medium --configfile pyproject.toml chassis users auth notification local tools evidence
	@git ls-files -z | xargs -0 .venv/bin/detect-secrets-hook --baseline .secrets.baseline
	@$(tools) generate --check
	@$(tools) check-documents
	@$(tools) audit --lint
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.renovate renovate.json

sbom: venv ## write what the image of each service is made of into sbom/, as CycloneDX (VERSION=0.1.0)
	@$(tools) sbom --version $(or $(VERSION),0.1.0)

audit: venv ## ask PyPI whether a package that requirements/ locks has a known weakness
	@$(tools) audit

kubernetes-lint: ## build every overlay and combination of components and check it (kubernetes-validate, checkov)
	@$(PYTHON) tools/environments.py kubernetes
	@PYTHONPATH=. .venv-kubernetes/bin/python -m pytest kustomize/tests --quiet $(ARGS)

format: venv ## rewrite the code in the project's style
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

generate: venv ## write docs/openapi and docs/configuration.md anew from the code
	@$(tools) generate

breached-passwords: venv ## make the filter of common breached passwords anew (needs npm, for the list)
	@PYTHONPATH=users .venv/bin/python -m tools.breached_passwords

docs: ## build the documentation's site into site/ (needs npm, for the script that draws diagrams)
	@$(PYTHON) tools/environments.py docs
	@.venv-docs/bin/python -m tools.documents.site

new-service: venv ## another service from the template: make new-service NAME=billing [OUTBOX=yes, to publish events]
	@test -n "$(NAME)" || { echo "Say which: make new-service NAME=billing"; exit 2; }
	@$(tools) new-service $(NAME) $(if $(OUTBOX),--outbox)

requirements: venv ## lock the newest packages that requirements/*.in allow
	@cd requirements && for name in users auth notification dev bench loadtest experiments kubernetes docs; do \
		../.venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 $$name.in -o $$name.txt || exit 1; \
	done

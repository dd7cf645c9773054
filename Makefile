# Each target installs what it needs first; see lab/setup.
PYTHON := .venv/bin/python

.PHONY: demo test test-cookbooks fuzz mutations lint bench bench-against lab vagrant-check captures clean

demo:  ## the whole story on this machine, from a pull request to a client with the packages
	@lab/setup demo
	@$(PYTHON) -m lab.demo $(DEMO)

test:  ## every test
	@lab/setup test
	@$(PYTHON) -m pytest
	@$(MAKE) --no-print-directory test-cookbooks

test-cookbooks:  ## the cookbooks: ChefSpec and cookstyle
	@tests/cookbooks/run

fuzz:  ## what is generated (tests/fuzz, tests/security), for much longer than in `make test`
	@lab/setup test
	@FUZZ=long $(PYTHON) -m pytest tests/fuzz tests/security

lint:  ## ruff, strict mypy and the order of imports
	@lab/setup test
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

bench:  ## side by side with the bare commands; writes docs/benchmarks.md
	@lab/setup demo
	@$(PYTHON) -m benchmarks

bench-against:  ## side by side with another commit of this project: make bench-against BASE=...
	@lab/setup demo
	@benchmarks/against $(BASE)

lab:  ## four systemd hosts, converged by Chef, and the story across them (root)
	@lab/setup demo
	@$(PYTHON) -m lab.hosts

mutations:  ## that the cookbooks' specs notice each resource that is removed
	@tests/cookbooks/mutations

vagrant-check:  ## the Vagrantfile: `vagrant validate`, then a real `vagrant up`, emulated (root)
	@lab/vagrant/check
	@lab/setup demo
	@$(PYTHON) -m lab.box

captures:  ## what the last vagrant-check printed, into docs/lab.md
	@$(PYTHON) -m lab.box.captures

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache build *.egg-info

# Each target installs what it needs first; see lab/setup.
PYTHON := .venv/bin/python
# A site of the lab lasts for a file of tests, so a file stays with one process; a third one works
# while others wait.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: demo check test test-cookbooks install-check release fuzz soak mutations lint bench \
	bench-against lab vagrant-check captures pictures helper clean

demo:  ## the whole story on this machine, from a pull request to a client with the packages
	@lab/setup demo
	@$(PYTHON) -m lab.demo $(DEMO)

check: lint  ## what to run after each change, in less than a minute: linters and pure tests
	@$(PYTHON) -m pytest -q -n 2 tests/unit

test:  ## every test; the cookbooks' beside the others
	@lab/setup test
	@mkdir -p .cache
	@tests/cookbooks/run >.cache/cookbooks.log 2>&1 & cookbooks=$$!; \
	$(PYTHON) -m pytest $(PARALLEL) $(TESTS); code=$$?; \
	wait $$cookbooks || code=$$?; cat .cache/cookbooks.log; exit $$code

release:  ## the demo and the tests in a bare root of the other Debian release (root)
	@lab/setup demo
	@$(PYTHON) -m lab.release $(SUITE)

install-check:  ## docs/install.md, as it stands there, in a bare root of each Debian release (root)
	@lab/setup test
	@INSTALL=complete $(PYTHON) -m pytest -q -s tests/install

test-cookbooks:  ## the cookbooks: ChefSpec and cookstyle
	@tests/cookbooks/run

fuzz:  ## what is generated (tests/fuzz, tests/security), for much longer than in `make test`
	@lab/setup test
	@FUZZ=long $(PYTHON) -m pytest tests/fuzz tests/security

soak:  ## what is long: fuzzing, generated upstreams, hundreds of publications, a kill at each moment
	@lab/setup test
	@FUZZ=long SOAK=long $(PYTHON) -m pytest $(PARALLEL) \
		tests/soak tests/fuzz tests/security tests/integration/test_crash.py

lint:  ## ruff, strict mypy, the order of imports, requirements, shellcheck
	@lab/setup test
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports
	@.venv/bin/deptry gm_analytics lab
	@lab/shellcheck

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

pictures:  ## docs/images, taken of the pages by their tests
	@lab/setup test
	@PICTURES=write $(PYTHON) -m pytest -q tests/browser/test_operator_pages.py

helper:  ## what is made of the package: the root helper's part of it, the table of errors
	@lab/setup demo
	@$(PYTHON) -m lab.root_helper
	@$(PYTHON) -m lab.troubleshooting

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache build *.egg-info

# make test is all that CI runs beside formatting and lints; see .ci/run.

.PHONY: check test test-all lint bench deny package stack-up stack-down demo

# The fast tier: what needs no service. By nextest where it is installed (.config/nextest.toml).
check:
	cargo fmt --all --check
	if cargo nextest --version > /dev/null 2>&1; then cargo nextest run --locked --workspace --lib; else cargo test --locked --workspace --lib; fi

# Most end-to-end tests wait for a service rather than compute, so a few more run at once than there are cores.
export RUST_TEST_THREADS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 4 ? 4 : cores)))

# The tests are built first, so that no service waits for a compiler. Services are the tests' own: they start empty and end
# with them; see stack/README.md.
test:
	@echo "building the tests; then services start, which takes a minute, and the tests run"
	cargo test --locked --workspace --no-run
	tests/with_services cargo test --locked --workspace --no-fail-fast

test-all:
	@echo "building the tests; then services start, which takes a minute, and all tests run"
	cargo test --locked --workspace --no-run
	tests/with_services --all cargo test --locked --workspace --no-fail-fast -- --include-ignored

# Services to develop against, in .mep/stack, on their usual ports.
stack-up:
	stack/up

stack-down:
	stack/down

# The whole pipeline at once; see docs/demo.md.
demo:
	stack/demo

# Rust, and the JavaScript, Python and shell beside it.
lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	tests/lint/run

# Ratios against named references; see benches/README.md.
bench:
	cargo build --release --locked
	python3 benches/many_models.py
	python3 benches/docs.py
	python3 benches/warehouse.py
	cargo bench --locked --bench simulator

# Licences, sources and doubled dependencies; needs cargo-deny.
deny:
	cargo deny --locked check bans licenses sources

# A wheel and a Debian package, in target/package; see docs/install.md.
package:
	packaging/build

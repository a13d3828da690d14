# make test is all that CI runs beside formatting and lints; see .ci/run.

.PHONY: test test-all lint bench deny package stack-up stack-down demo

# Tests run against real services of their own, which start empty and end with them; see stack/README.md.
test:
	tests/with_services cargo test --locked

test-all:
	tests/with_services --all cargo test --locked -- --include-ignored

# Services to develop against, in .mep/stack, on their usual ports.
stack-up:
	stack/up

stack-down:
	stack/down

# The whole pipeline at once; see docs/demo.md.
demo:
	stack/demo

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings

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

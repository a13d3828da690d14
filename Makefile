# make test is all that CI runs beside formatting and lints; see .ci/run.

.PHONY: test lint bench deny

test:
	cargo test --locked

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings

# Ratios against named references; see benches/README.md.
bench:
	cargo build --release --locked
	python3 benches/many_models.py
	python3 benches/warehouse.py
	cargo bench --locked --bench simulator

# Licences, sources and doubled dependencies; needs cargo-deny.
deny:
	cargo deny --locked check bans licenses sources

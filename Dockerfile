# mep and the bundled project: docker build -t mep . && docker run --rm mep run
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY benches benches
COPY src src
COPY crates crates
COPY tests tests
# The caches make a second build short; what the image needs is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin mep && strip --strip-all -o /usr/local/bin/mep target/release/mep

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates libssl3 zlib1g && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home mep && install --directory --owner=mep /project /project/.mep
COPY --from=build /usr/local/bin/mep /usr/local/bin/mep
WORKDIR /project
COPY --chown=mep dbt_project.yml profiles.yml sources.yml ./
COPY --chown=mep macros macros
COPY --chown=mep models models
COPY --chown=mep tests/*.sql tests/
USER mep
ENV TZ=UTC
ENTRYPOINT ["mep"]
CMD ["--help"]

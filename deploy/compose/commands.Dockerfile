# The commands `backup` and `restore`, run by hand.
FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 bina && useradd --uid 10001 --gid bina --no-create-home --shell /usr/sbin/nologin bina
WORKDIR /app
COPY requirements-runtime.lock .
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes -r requirements-runtime.lock
COPY chassis chassis
COPY requirements-commands.lock .
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes -r requirements-commands.lock
COPY pyproject.toml .
COPY ops ops
RUN install -d -o bina -g bina -m 700 /bina /bina/certification /bina/certification/keys_dir
USER 10001
ENTRYPOINT ["python", "-m", "ops.cli"]

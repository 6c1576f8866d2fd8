FROM docker.io/library/python:3.11-slim AS build

ENV UV_PROJECT_ENVIRONMENT=/opt/venv UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /app

RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check "uv>=0.9"

COPY pyproject.toml uv.lock ./
RUN /opt/uv/bin/uv sync --frozen --no-dev --extra postgres --extra parquet --quiet

# Only what runs is kept: pages load one file of Plotly, one of Bootstrap and three of Swagger.
RUN cd /opt/venv/lib/python3.11/site-packages \
 && find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} + \
 && rm -rf _plotly_utils onnxruntime/quantization onnxruntime/tools onnxruntime/transformers \
           sqlalchemy/testing alembic/testing gevent/testing \
 && find plotly -type f ! -path plotly/__init__.py ! -path plotly/package_data/plotly.min.js -delete \
 && find flask_bootstrap/static -type f ! -path '*/bootstrap5/css/bootstrap.min.css' -delete \
 && find offapi -name '*.js' ! -name 'swagger_*.js' -delete \
 && find . -type f \( -name '*.py[ix]' -o -name '*.px[di]' -o -name '*.[ach]' -o -name '*.cc' -o -name '*.[ch]pp' -o -name '*.map' \) -delete \
 && find . -type d -empty -delete \
 && grep -rlZF --include='*.so' .debug_info . | xargs -0 -r strip --strip-debug

COPY . .
ENV PATH=/opt/venv/bin:$PATH
# Trains, packs, publishes and checks the demo models, so that a library cut too short fails here and not in service.
RUN DATA_DIR=/tmp/proof python run.py prepare >/dev/null \
 && DATA_DIR=/tmp/proof python -c "import gevent.monkey, gunicorn.app.wsgiapp, psycopg, sqlalchemy.dialects.postgresql.psycopg; import run; assert run.app.test_client().get('/login').status_code == 200" >/dev/null
# Bytecode for what was used just now: all of it would add 20 MB, none of it would slow each start on a read-only
# file system. Unchecked, because a copy may change the dates that bytecode is checked by.
RUN find /opt/venv /app -name '*.cpython-311.pyc' | sed 's#__pycache__/##; s#\.cpython-311\.pyc$#.py#' \
  | python -m compileall -q -f --invalidation-mode unchecked-hash -i - webapp migrations gunicorn.conf.py \
 && find /opt/venv /app -name __pycache__ -exec chmod 755 {} +  # made under the umask of run.py

FROM docker.io/library/python:3.11-slim

LABEL org.opencontainers.image.title="Parecer" \
      org.opencontainers.image.description="A self-hosted prediction desk for scikit-learn and ONNX models" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN groupadd --gid 10001 parecer \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin --no-log-init parecer \
 && install -d -o parecer -g parecer -m 0700 /data

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/data DATA_DIR=/data HOST=0.0.0.0 PORT=5000
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 5000

# Asks by the first name in TRUSTED_HOSTS, for the server answers to no other.
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/readyz', headers={'Host': os.environ.get('TRUSTED_HOSTS', '').split(',')[0].strip().lstrip('.') or 'localhost'}); raise SystemExit(c.getresponse().status != 200)"]

# run.py becomes gunicorn (exec), which therefore is process 1 and gets the signals.
CMD ["python", "run.py"]

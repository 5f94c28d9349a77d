"""The process of marketplace: `python -m services.marketplace`.

Not here: what the service consists of (app).
"""

from chassis.app.server import serve
from services.marketplace.app import create_app
from services.marketplace.settings import MarketplaceSettings

if __name__ == "__main__":
    serve(create_app, MarketplaceSettings)

"""The process of certification: `python -m services.certification`."""

from chassis.app.server import serve
from services.certification.app import create_app
from services.certification.settings import CertificationSettings

if __name__ == "__main__":
    serve(create_app, CertificationSettings)

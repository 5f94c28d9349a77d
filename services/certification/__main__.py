"""The process of certification: `python -m services.certification`."""

from chassis.app.server import serve
from services.certification.app import create_app
from services.certification.settings import CertificationSettings

serve(create_app, CertificationSettings)

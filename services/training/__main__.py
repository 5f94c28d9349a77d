"""Run the training service: `python -m services.training`."""

from chassis.app.server import serve
from services.training.app import create_app
from services.training.settings import TrainingSettings

if __name__ == "__main__":
    serve(create_app, TrainingSettings)

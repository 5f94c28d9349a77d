"""The concerns of the door, one file each; gateway/app.py names them in order."""

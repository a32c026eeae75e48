"""From a camera's frames to the texture of the faces in them; the only room that uses OpenCV."""

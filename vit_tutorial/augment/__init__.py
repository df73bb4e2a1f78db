"""Changes of training images, drawn afresh for every image and epoch."""

"""What in a picture, or in a layer's maps, speaks for a class? Three methods, used by the lenses that draw heat maps.

    grad_cam              activations of a layer, weighed by the score's mean gradients
    occlusion             how far the score falls when a part of the picture is covered
    integrated_gradients  what each pixel adds to the score on the way from an even picture

Each gives a signed map (sample, y, x) of the score (``scores.py``) of one class for each picture.
"""

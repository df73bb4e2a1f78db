"""The capstone: a whole Vision Transformer, written by you alone.

`MyViT(config)` takes a ViTConfig with a class token, learned positions and a
convolutional embedder, and turns images (B, C, Y, X) into logits (B, classes) as
VisionTransformer does. `config.sides`, `config.grid` and `config.tokens` are counted
for you. Call your parts what you like and build them as you like. How the weights
start, and where `config.dropout` drops in train mode, is yours, too. PyTorch's layers
are welcome; layers and functions of this book, torchvision, timm or transformers are
not.

To compare, we give you our weights. `load(self, weights)` gets this dict and puts every
number into your model; if all your names and shapes are these, leave `load` out:

    embedder.class_token              (1, 1, D)
    embedder.positions                (1, T, D)
    embedder.projection.weight        (D, C, P, P)         .bias (D)
    blocks.0.norm1.weight             (D)                  .bias (D)         blocks.1,
        blocks.2, ... likewise
    blocks.0.attention.qkv.weight     (3D, D)              .bias (3D)        all of q,
        then all of k, then all of v
    blocks.0.attention.out.weight     (D, D)               .bias (D)
    blocks.0.norm2.weight             (D)                  .bias (D)
    blocks.0.mlp.0.weight             (M, D)               .bias (M)         M = round(D
        * mlp_ratio)
    blocks.0.mlp.3.weight             (D, M)               .bias (D)
    head.0.weight                     (D)                  .bias (D)         the last
        norm
    head.1.weight                     (classes, D)         .bias (classes)

Check it with `python my_vit.py`, or with `check.my_vit("my_vit.py")` in a notebook
beside it: seventeen rungs, the first one that breaks is named. On the last, our trained
weights run in your code.
"""

from torch import nn

from vit_tutorial import checks as check


class MyViT(nn.Module): ...  # your code


if __name__ == "__main__":
    print(check.my_vit(MyViT))

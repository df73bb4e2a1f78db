"""What the tensors of other libraries are called here, and which features of theirs
have no place here.

A row is their name and ours; {n} is the number of a block, * is weight or bias. What
stands for None takes no part in the features of an image.
"""

TORCHVISION = {
    "class_token": "embedder.class_token",
    "conv_proj.*": "embedder.projection.*",
    "encoder.pos_embedding": "embedder.positions",
    "encoder.layers.encoder_layer_{n}.ln_1.*": "blocks.{n}.norm1.*",
    "encoder.layers.encoder_layer_{n}.self_attention.in_proj_*": (
        "blocks.{n}.attention.qkv.*"
    ),
    "encoder.layers.encoder_layer_{n}.self_attention.out_proj.*": (
        "blocks.{n}.attention.out.*"
    ),
    "encoder.layers.encoder_layer_{n}.ln_2.*": "blocks.{n}.norm2.*",
    "encoder.layers.encoder_layer_{n}.mlp.0.*": "blocks.{n}.mlp.0.*",
    "encoder.layers.encoder_layer_{n}.mlp.3.*": "blocks.{n}.mlp.3.*",
    "encoder.ln.*": "head.0.*",
    "heads.head.*": "head.1.*",
    "heads.*": "head.1.*",  # where a linear layer was put in the place of the heads
}

TIMM = {
    "cls_token": "embedder.class_token",
    "reg_token": "registers",
    "pos_embed": "embedder.positions",
    "patch_embed.proj.*": "embedder.projection.*",
    "blocks.{n}.norm1.*": "blocks.{n}.norm1.*",
    "blocks.{n}.attn.qkv.*": "blocks.{n}.attention.qkv.*",
    "blocks.{n}.attn.proj.*": "blocks.{n}.attention.out.*",
    "blocks.{n}.ls1.gamma": "blocks.{n}.end1.factors",
    "blocks.{n}.norm2.*": "blocks.{n}.norm2.*",
    "blocks.{n}.mlp.fc1.*": "blocks.{n}.mlp.0.*",
    "blocks.{n}.mlp.fc2.*": "blocks.{n}.mlp.3.*",
    "blocks.{n}.ls2.gamma": "blocks.{n}.end2.factors",
    "norm.*": "head.0.*",
    "fc_norm.*": "head.0.*",  # behind the mean over patches
    "head.*": "head.1.*",
}

# Both of transformers without the name of the model, as in "vit.", that a classifier
# puts before all but its own; q, k and v are the thirds of our qkv.
TRANSFORMERS_VIT = {
    "embeddings.cls_token": "embedder.class_token",
    "embeddings.mask_token": None,
    "embeddings.position_embeddings": "embedder.positions",
    "embeddings.patch_embeddings.projection.*": "embedder.projection.*",
    "layers.{n}.layernorm_before.*": "blocks.{n}.norm1.*",
    "layers.{n}.attention.q_proj.*": "blocks.{n}.attention.q.*",
    "layers.{n}.attention.k_proj.*": "blocks.{n}.attention.k.*",
    "layers.{n}.attention.v_proj.*": "blocks.{n}.attention.v.*",
    "layers.{n}.attention.o_proj.*": "blocks.{n}.attention.out.*",
    "layers.{n}.layernorm_after.*": "blocks.{n}.norm2.*",
    "layers.{n}.mlp.fc1.*": "blocks.{n}.mlp.0.*",
    "layers.{n}.mlp.fc2.*": "blocks.{n}.mlp.3.*",
    "layernorm.*": "head.0.*",
    "pooler.dense.*": None,
    "classifier.*": "head.1.*",
}

TRANSFORMERS_DINOV2 = {
    "embeddings.cls_token": "embedder.class_token",
    "embeddings.mask_token": None,
    "embeddings.register_tokens": "registers",
    "embeddings.position_embeddings": "embedder.positions",
    "embeddings.patch_embeddings.projection.*": "embedder.projection.*",
    "encoder.layer.{n}.norm1.*": "blocks.{n}.norm1.*",
    "encoder.layer.{n}.attention.q_proj.*": "blocks.{n}.attention.q.*",
    "encoder.layer.{n}.attention.k_proj.*": "blocks.{n}.attention.k.*",
    "encoder.layer.{n}.attention.v_proj.*": "blocks.{n}.attention.v.*",
    "encoder.layer.{n}.attention.o_proj.*": "blocks.{n}.attention.out.*",
    "encoder.layer.{n}.layer_scale1.lambda1": "blocks.{n}.end1.factors",
    "encoder.layer.{n}.norm2.*": "blocks.{n}.norm2.*",
    "encoder.layer.{n}.mlp.fc1.*": "blocks.{n}.mlp.0.*",
    "encoder.layer.{n}.mlp.fc2.*": "blocks.{n}.mlp.3.*",
    "encoder.layer.{n}.layer_scale2.lambda1": "blocks.{n}.end2.factors",
    "layernorm.*": "head.0.*",
    "classifier.*": "head.1.*",
}

# The classes of models, and of their parts, whose forward pass is that of ours. A class
# counts by its name and the library that it is from: a subclass may compute otherwise.
ROOTS = {
    "torchvision": ("VisionTransformer",),
    "timm": ("VisionTransformer",),
    "transformers": (
        "ViTModel",
        "ViTForImageClassification",
        "Dinov2Model",
        "Dinov2ForImageClassification",
        "Dinov2WithRegistersModel",
        "Dinov2WithRegistersForImageClassification",
    ),
}
ACTIVATIONS = ("GELU", "GELUActivation")
COMMON = ("Conv2d", "LayerNorm", "Linear", "Dropout", "Identity")
DINOV2_PARTS = (
    "Embeddings",
    "PatchEmbeddings",
    "Encoder",
    "Layer",
    "Attention",
    "LayerScale",
    "DropPath",
    "MLP",
)
PARTS = {
    "torchvision": (
        "Encoder",
        "EncoderBlock",
        "MLPBlock",
        "MultiheadAttention",
        "NonDynamicallyQuantizableLinear",
        "Sequential",
    ),
    "timm": (
        "PatchEmbed",
        "PatchDropout",
        "Block",
        "Attention",
        "Mlp",
        "LayerScale",
        "DropPath",
        "Sequential",
    ),
    "transformers": (
        "ViTEmbeddings",
        "ViTPatchEmbeddings",
        "ViTLayer",
        "ViTAttention",
        "ViTMLP",
        "ViTPooler",
        "Tanh",  # of the pooler
        "ModuleList",
        *(f"Dinov2{part}" for part in DINOV2_PARTS),
        *(f"Dinov2WithRegisters{part}" for part in DINOV2_PARTS),
    ),
}

# a piece of a tensor's or a class's name, and the feature it gives away
FEATURES = {
    "q_norm": "QK-norm",
    "k_norm": "QK-norm",
    "dist_token": "a distillation token",
    "distillation_token": "a distillation token",
    "norm_pre": "a norm before the blocks",
    "attn.norm": "a norm within attention",
    "mlp.norm": "a norm within the MLP",
    "patch_embed.norm": "a norm of the patches",
    "pre_logits": "a hidden layer in the head",
    "attn_pool": "attention pooling",
    "conv_bn_relu": "a convolutional stem",
    "rope": "rotary positions",
    "rel_pos": "relative positions",
    "relative_position": "relative positions",
    "gate_proj": "SwiGLU",
    "SwiGLU": "SwiGLU",
    "GluMlp": "SwiGLU",
    "GELUTanh": "a GELU that is approximated",
    "attention.attention.query": "a name of an older transformers, update it",
}

"""What all tests share: one thread, so that tests side by side do not slow each other down, and numbers repeat."""

import os

import torch

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
torch.set_num_threads(1)

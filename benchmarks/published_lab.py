"""Experiment 11, the strongest 64x64 recipe, of github.com/luoge850-lang/dcgan-anime-face-lab in PyTorch, for comparison only.

Written anew after its README and settings, with one difference: it averaged with a half-life of 220,000 pictures from the first
weights on, and most of these would be left after a short race; here the half-life is at most a twentieth of
the pictures seen, as it is everywhere in ganime. Needs torch and torchvision; nothing of ganime is imported.
"""

import copy
import functools
from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import pad, relu
from torch.nn.utils import spectral_norm
from torchvision import transforms
from torchvision.datasets import ImageFolder

BATCH, LATENT, SIDE, DECAY = 32, 128, 64, 0.9999
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def build():
    """Generator and discriminator."""
    generator, discriminator, channels = [], [], [LATENT, 768, 384, 192, 96, 3]
    for i, (inputs, outputs) in enumerate(pairwise(channels)):
        convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2 if i else 1, 1 if i else 0)
        nn.init.orthogonal_(convolution.weight)
        nn.init.zeros_(convolution.bias)
        generator += [convolution, *([nn.Tanh()] if outputs == 3 else [nn.BatchNorm2d(outputs), nn.ReLU()])]
    for inputs, outputs in pairwise([3, 32, 64, 128, 256]):
        discriminator += [spectral_norm(nn.Conv2d(inputs, outputs, 3, 2, 1)), nn.LeakyReLU(0.2)]
    discriminator += [nn.Flatten(), spectral_norm(nn.Linear(4 * 4 * 256, 256)), nn.LeakyReLU(0.2), nn.Linear(256, 1)]
    return [nn.Sequential(*layers).to(DEVICE) for layers in (generator, discriminator)]


def make_batches(folder):
    """Batches of real images, mirrored and sharpened at random, from a folder with a subfolder of pictures."""
    blur = transforms.GaussianBlur(9, 1.5)
    sharpen = transforms.Lambda(lambda image: (image + 0.3 * (image - blur(image))).clamp(0, 1))
    kinds = [transforms.Resize((SIDE, SIDE)), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    kinds += [transforms.RandomApply([sharpen], 0.2), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
    pictures = ImageFolder(folder, transforms.Compose(kinds))
    loader = torch.utils.data.DataLoader(pictures, BATCH, shuffle=True, num_workers=2, drop_last=True)
    while True:
        for images, _ in loader:
            yield images.to(DEVICE)


def augment(images):
    """DiffAugment's color, translation (what comes in repeats the border) and cutout (of 0.35 of the side)."""
    count, _, side, _ = images.shape
    brightness, saturation, contrast = torch.rand(3, count, 1, 1, 1, device=DEVICE)
    images = images + brightness - 0.5
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * 2 * saturation
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (contrast + 0.5)
    reach = side // 8
    pixels, draw = torch.arange(side, device=DEVICE), functools.partial(torch.randint, size=(2, count, 1), device=DEVICE)
    rows, columns = pixels + draw(0, 2 * reach + 1)
    padded = pad(images, (reach,) * 4, "replicate").permute(0, 2, 3, 1)
    pictures = torch.arange(count, device=DEVICE)[:, None, None]
    images = padded[pictures, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    half = round(0.35 * side) // 2
    offset = pixels - draw(0, side + 1)
    rows, columns = (-half <= offset) & (offset < half)
    return images * ~(rows[:, :, None] & columns[:, None, :])[:, None]


def start(folder):
    """A function that takes a training step, and one that gives the generator to sample from."""
    generator, discriminator = build()
    averaged = copy.deepcopy(generator).eval()
    batches, steps = make_batches(folder), 0
    d_optimizer, g_optimizer = (
        torch.optim.Adam(network.parameters(), 1e-4, (0.5, 0.99)) for network in (discriminator, generator)
    )

    def step():
        nonlocal steps
        real = next(batches)
        with torch.no_grad():
            fakes = generator(torch.randn(BATCH, LATENT, 1, 1, device=DEVICE))
        d_optimizer.zero_grad()
        loss = relu(1 - discriminator(augment(real))).mean() + relu(1 + discriminator(augment(fakes))).mean()
        loss.backward()
        d_optimizer.step()
        discriminator.requires_grad_(False)
        g_optimizer.zero_grad()
        loss = -discriminator(augment(generator(torch.randn(BATCH, LATENT, 1, 1, device=DEVICE)))).mean()
        loss.backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)
        steps += 1
        keep = min(DECAY, 0.5 ** (20 / steps))
        for average, current in zip(averaged.state_dict().values(), generator.state_dict().values(), strict=True):
            average.lerp_(current, 1 - keep) if average.is_floating_point() else average.copy_(current)

    return step, lambda: averaged

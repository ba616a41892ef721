"""The training of github.com/Abhishek-Aditya-bs/Anime-Face-Generation-Pytorch in PyTorch, for comparison only.

Written anew after its README and code: the same networks, losses, updates and loading and, as there, a gradient of the
discriminator's loss that also flows through the generator and one of the generator's loss by the discriminator's weights, which
nobody uses. Needs torch and, for the batches, torchvision; nothing of ganime is imported.
"""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

BATCH, LATENT, SIDE = 128, 128, 64
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def build(layout=torch.contiguous_format):
    """Generator and discriminator with PyTorch's own first weights, in a memory format."""
    generator, discriminator, channels = [], [], [LATENT, 512, 256, 128, 64, 3]
    for i, (inputs, outputs) in enumerate(pairwise(channels)):
        generator.append(nn.ConvTranspose2d(inputs, outputs, 4, 2 if i else 1, 1 if i else 0, bias=False))
        generator += [nn.Tanh()] if outputs == 3 else [nn.BatchNorm2d(outputs), nn.ReLU(True)]
    channels = [3, 64, 128, 256, 512]
    for inputs, outputs in pairwise(channels):
        convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
        discriminator += [convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
    discriminator += [nn.Conv2d(512, 1, 4, bias=False), nn.Flatten(), nn.Sigmoid()]
    return [nn.Sequential(*layers).to(DEVICE, memory_format=layout) for layers in (generator, discriminator)]


def make_batches(folder, layout=torch.contiguous_format):
    """Batches of real images, epoch after epoch, from a folder with a subfolder of pictures."""
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    kinds = [transforms.Resize(SIDE), transforms.CenterCrop(SIDE), transforms.ToTensor()]
    pictures = ImageFolder(folder, transforms.Compose([*kinds, transforms.Normalize((0.5,) * 3, (0.5,) * 3)]))
    pinned = DEVICE.type == "cuda"  # published as always; without a GPU it does nothing but warn
    loader = torch.utils.data.DataLoader(pictures, BATCH, shuffle=True, num_workers=3, pin_memory=pinned)
    while True:
        for images, _ in loader:
            yield images.to(DEVICE, non_blocking=True, memory_format=layout)


def make_step(generator, discriminator):
    """A function of real images that updates both networks."""
    d_optimizer, g_optimizer = (
        torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (discriminator, generator)
    )

    def generate():
        return generator(torch.randn(BATCH, LATENT, 1, 1, device=DEVICE))

    def cross_entropy(chances, label):
        return functional.binary_cross_entropy(chances, torch.full((len(chances), 1), label, device=DEVICE))

    def step(real):
        d_optimizer.zero_grad()
        chances = discriminator(real)
        loss = cross_entropy(chances, 1.0)
        chances.mean().item()
        chances = discriminator(generate())
        loss = loss + cross_entropy(chances, 0.0)
        chances.mean().item()
        loss.backward()
        d_optimizer.step()
        loss.item()
        g_optimizer.zero_grad()
        loss = cross_entropy(discriminator(generate()), 1.0)
        loss.backward()
        g_optimizer.step()
        loss.item()

    return step


def start(folder):
    """A function that takes a training step, and one that gives the generator to sample from (in training mode)."""
    generator, discriminator = build()
    step, batches = make_step(generator, discriminator), make_batches(folder)
    return lambda: step(next(batches)), lambda: copy.deepcopy(generator)  # a pass in training mode moves its statistics

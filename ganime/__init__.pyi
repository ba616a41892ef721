"""The public names, which are imported when they are first used; __init__.py and type checkers read this."""

__version__: str

from .data.drawn import DrawnFaces as DrawnFaces
from .data.drawn import draw_face as draw_face
from .data.folder import PictureFolder as PictureFolder
from .data.packed import PackedPictures as PackedPictures
from .data.packed import pack as pack
from .data.pipeline import make_dataset as make_dataset
from .data.sources import open_pictures as open_pictures
from .data.split import split as split
from .errors import GanimeError as GanimeError
from .errors import InputError as InputError
from .errors import NonFiniteError as NonFiniteError
from .exporting.export import export as export
from .generation.edits import Edits as Edits
from .generation.latents import from_seeds as from_seeds
from .generation.projection import project as project
from .generation.sampling import load_generator as load_generator
from .generation.sampling import paint as paint
from .generation.sampling import sample as sample
from .generation.walks import mix as mix
from .generation.walks import walk as walk
from .metrics.evaluation import GeneratedPictures as GeneratedPictures
from .metrics.evaluation import reference_features as reference_features
from .metrics.evaluation import score as score
from .metrics.features import FeatureExtractor as FeatureExtractor
from .metrics.while_training import Evaluation as Evaluation
from .metrics.while_training import KernelDistance as KernelDistance
from .networks import build_discriminator as build_discriminator
from .networks import build_generator as build_generator
from .overview import RunSummary as RunSummary
from .overview import runs as runs
from .pictures.show import animate as animate
from .pictures.show import show as show
from .recipes import RECIPES as RECIPES
from .recipes import Recipe as Recipe
from .recipes import get_recipe as get_recipe
from .run import Run as Run
from .training import callbacks as callbacks
from .training.building import build_gan as build_gan
from .training.distribution import make_strategy as make_strategy
from .training.engine import Engine as Engine
from .training.fit import fit as fit
from .training.gan import GAN as GAN
from .training.loading import load_gan as load_gan

import numpy as np

from ganime.data.drawn import DrawnFaces, draw_face


def test_a_face_is_a_function_of_its_seed():
    assert np.array_equal(draw_face(5), draw_face(5))
    small = [draw_face(seed, 16).astype(int) for seed in range(30)]
    distances = [np.abs(a - b).mean() for i, a in enumerate(small) for b in small[:i]]
    assert min(distances) > 5  # of 255: no two alike


def test_sizes_show_the_same_face():
    large = draw_face(11, 128).reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(large - draw_face(11, 64)).mean() < 4


def test_edges_are_anti_aliased():
    assert len(np.unique(draw_face(3, 64).reshape(-1, 3), axis=0)) > 300  # some twenty flat colours, and what lies between


def test_it_is_a_data_set():
    faces = DrawnFaces(10)
    assert len(faces) == 10 and "10" in str(faces)
    assert np.array_equal(faces.load_batch([4, 2], 32), [draw_face(4, 32), draw_face(2, 32)])

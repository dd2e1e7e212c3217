"""Masks fitted to colours: the guided filter cell by cell, and what constant pictures leave as it is."""

import numpy as np
import pytest
from scipy import special

from ifcn_tf.masks.edges import _EXPLAINED, _FLAT, _NOISE, enlarge, fit_to_colours
from ifcn_tf.masks.paste import paste


def fit_slowly(mask, picture):
    """The definition, for one mask [m, m] and a picture [m, m, 3]: a ridge regression around each cell, then means."""
    cells = len(mask)
    near = {(y, x): np.s_[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] for y, x in np.ndindex(cells, cells)}
    coefficients, explained = np.zeros((cells, cells, 4)), np.zeros((cells, cells))
    for cell, around in near.items():
        colours, values = picture[around].reshape(-1, 3), mask[around].ravel()
        covariance = ((colours - colours.mean(0)) * (values - values.mean())[:, None]).mean(0)
        slopes = np.linalg.solve(np.cov(colours.T, bias=True) + _NOISE * np.eye(3), covariance)
        coefficients[cell] = [*slopes, values.mean() - slopes @ colours.mean(0)]
        share = slopes @ covariance / (values.var() + _FLAT)
        explained[cell] = share / (share + _EXPLAINED)
    means = np.array([coefficients[near[cell]].mean((0, 1)) for cell in near]).reshape(cells, cells, 4)
    trust = np.array([explained[near[cell]].mean() for cell in near]).reshape(cells, cells)
    return (means[..., :3] * picture).sum(-1) + means[..., 3], trust


@pytest.mark.parametrize("gray", [False, True])
def test_equals_the_definition(gray):
    """Also where red, green and blue are the same, so that their covariances are singular."""
    rng = np.random.default_rng(0)
    picture = rng.uniform(size=(2, 9, 9, 1 if gray else 3)) * np.ones(3)
    masks = rng.uniform(size=(2, 9, 9))
    found = fit_to_colours(masks.astype(np.float32), list(np.moveaxis(picture.astype(np.float32), -1, 0)))
    expected = zip(*map(fit_slowly, masks, picture), strict=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_samples_are_averaged_where_the_fit_is_made_and_not_where_it_is_used():
    """Samples of -.1 and +.1 beside the colour of their cell change no coefficient, and the mask by .1 slopes."""
    rng = np.random.default_rng(1)
    masks, coarse = rng.uniform(size=(1, 6, 6)).astype(np.float32), rng.uniform(size=(3, 1, 6, 6)).astype(np.float32)
    even = [np.repeat(np.repeat(colour, 2, 1), 2, 2) for colour in coarse]
    stripes = np.tile(np.float32([0.1, -0.1]), 6)
    fitted, trust = fit_to_colours(masks, even)
    changed = [fit_to_colours(masks, [c + sign * stripes for c in even]) for sign in (1, -1)]
    np.testing.assert_allclose(changed[0][1], trust, atol=1e-4)
    np.testing.assert_allclose((changed[0][0] + changed[1][0]) / 2, fitted, atol=1e-4)
    assert abs(changed[0][0] - fitted).max() > 0.01


def test_a_picture_of_one_colour_says_nothing():
    masks = special.expit(np.random.default_rng(2).normal(size=(3, 21, 21)) * 4).astype(np.float32)
    _, trust = fit_to_colours(masks, [np.full((3, 63, 63), shade, np.float32) for shade in (0.1, 0.5, 0.9)])
    assert abs(trust).max() < 1e-4


def test_a_mask_of_one_value_stays():
    """Where nothing varies, no colour is to blame."""
    colours = np.random.default_rng(3).uniform(size=(3, 1, 42, 42)).astype(np.float32)
    fitted, trust = fit_to_colours(np.full((1, 21, 21), 0.9, np.float32), list(colours))
    np.testing.assert_allclose(fitted, 0.9, atol=1e-3)
    assert abs(trust).max() < 1e-2


@pytest.mark.parametrize("samples", [1, 3, 5])
def test_finer_logits_are_the_same_mask(samples):
    rng = np.random.default_rng(samples)
    logits, corners = rng.normal(size=(4, 7, 7)).astype(np.float32), rng.uniform(1, 20, (4, 2))
    windows = np.concatenate([corners, corners + rng.uniform(30, 60, (4, 2))], 1)  # within 90 x 90 px
    fine = enlarge(logits, samples)
    assert fine.shape == (4, 7 * samples, 7 * samples)
    assert paste(fine, windows, (90, 90)) == paste(logits, windows, (90, 90))

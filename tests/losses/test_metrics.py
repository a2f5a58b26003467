"""IoU in the widened box of the target."""

import torch

from lightning_rast.losses import box_iou


def square(top, left, size, side=50):
    image = torch.zeros(1, side, side)
    image[:, top : top + size, left : left + size] = 1
    return image


def test_a_shifted_square():
    # 20 x 20 against the same moved by 1: 380 shared, 420 in all.
    iou = box_iou(square(10, 11, 20), square(10, 10, 20))
    torch.testing.assert_close(iou, torch.tensor([380 / 420], dtype=torch.float64))


def test_what_is_drawn_outside_the_box_is_left_out():
    # The box of a 25 px square grows by 2 px (8 %): a third column beyond it does not count.
    target = square(10, 10, 25)
    drawn = target.clone()
    drawn[:, 10:35, 35:40] = 1
    torch.testing.assert_close(
        box_iou(drawn, target), torch.tensor([625 / 675], dtype=torch.float64)
    )


def test_fractions_are_cut_at_one_half():
    target = square(10, 10, 20)
    assert box_iou(target * 0.51, target * 0.9) == 1
    assert box_iou(target * 0.49, target) == 0


def test_unknown_pixels_do_not_count():
    target, known = square(10, 10, 20), torch.ones(1, 50, 50, dtype=torch.bool)
    known[:, :, 20:] = False
    assert box_iou(square(10, 10, 20) * known, target, known) == 1


def test_empty_targets_still_show_false_hits():
    empty = torch.zeros(1, 50, 50)
    assert box_iou(empty, empty) == 1
    assert box_iou(square(0, 0, 3), empty) == 0


def test_views_are_measured_one_by_one():
    target = torch.cat((square(10, 10, 20), square(5, 30, 10)))
    drawn = torch.cat((square(10, 10, 20), square(5, 5, 10)))
    assert box_iou(drawn, target).tolist() == [1, 0]

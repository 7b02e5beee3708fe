"""A table that is one test fails with every row that fails, and only then."""

import pytest
from support.rows import each_row


@each_row("number", [1, 2, 3])
def rising(number, limit):
    assert number < limit


@each_row(("left", "right"), [(1, 2), pytest.param(2, 2, id="twins")], ids=str)
async def differ(left, right):
    with pytest.raises(AssertionError):
        assert left == right


@each_row("right", [1, 2])
@each_row("left", [1, 2, 3])
def at_least(left, right):
    assert left >= right


def test_every_row_that_fails_is_named():
    rising(limit=4)
    with pytest.raises(ExceptionGroup, match="2 of 3 rows failed") as caught:
        rising(limit=2)
    assert [error.__notes__ for error in caught.value.exceptions] == [["in the row: 2"], ["in the row: 3"]]


async def test_a_coroutine_and_a_check_of_pytest_are_rows_too():
    with pytest.raises(BaseExceptionGroup, match="1 of 2 rows failed") as caught:
        await differ()
    assert caught.value.exceptions[0].__notes__ == ["in the row: twins"]


def test_tables_multiply():
    with pytest.raises(ExceptionGroup, match="1 of 2 rows failed") as caught:
        at_least()
    assert [error.__notes__ for error in caught.value.exceptions[0].exceptions] == [["in the row: 1"]]


def test_a_row_can_not_be_skipped_and_a_table_without_rows_is():
    @each_row("reason", ["not here"])
    def skipped(reason):
        pytest.skip(reason)

    with pytest.raises(BaseExceptionGroup):
        skipped()
    with pytest.raises(pytest.skip.Exception, match="no rows"):
        each_row("reason", [])(skipped)()
    with pytest.raises(ValueError, match="marks"):
        each_row("reason", [pytest.param(1, marks=pytest.mark.skip)])


@each_row("number", [1, 2])
def test_pytest_gives_a_table_its_other_fixtures(number, tmp_path):
    (tmp_path / str(number)).touch()
    assert len(list(tmp_path.iterdir())) == number

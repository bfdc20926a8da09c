import pytest
from prefloop.collect import Person, check_names, read_people
from prefloop.errors import Problems, UserError


@pytest.fixture
def people(tmp_path):
    def read(text, skills=("code", "safety")):
        path = tmp_path / "people.csv"
        path.write_text(text, encoding="utf-8")
        return read_people(path, skills)

    return read


def test_a_name_is_enough_and_the_rest_is_read(people):
    assert people("username\nann\nbo\n") == [Person("ann"), Person("bo")]
    assert people("role,username,skill,name\nadmin, zoë ,code; safety,Zoë F\n,bo,,\n") == [
        Person("zoë", "Zoë F", ("code", "safety"), "admin"),
        Person("bo"),
    ]


def test_a_table_saved_by_a_spreadsheet_is_read(people):
    assert people('\ufeffusername,name\r\nann,"Ann, of Ghent"\r\n') == [Person("ann", "Ann, of Ghent")]


def test_all_problems_of_the_file_are_shown_at_once_with_their_lines(people):
    with pytest.raises(Problems) as raised:
        people("username,skill,role\nann,,\nbad name,,\n,code,\nAnn,,\nbo,cooking,king\ncy,,,,\nd\u200bd,,\n")
    said = str(raised.value)
    assert [line.split(":")[0].strip() for line in said.splitlines()[1:]] == [
        "line 3", "line 4", "line 5", "line 6", "line 6", "line 7", "line 8",
    ]  # fmt: skip
    assert "'bad name' has blanks or invisible letters" in said
    assert "'Ann' is already on line 2" in said
    assert "the role 'king' is none of annotator, admin" in said
    assert "the skill 'cooking' is not in the recipe (collect.skills): code, safety" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must start with a line of column names"),
        ("ann\nbo\n", "it has ann"),
        ("username,password\nann,secret\n", "it has username, password"),
        ("username\n", "names nobody"),
        ('username\n"ann\n', "is not CSV"),
    ],
)
def test_what_is_no_list_of_people_is_one_sentence(people, text, said):
    with pytest.raises(UserError, match=said):
        people(text)


def test_a_file_that_is_not_there_or_not_text_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_people(tmp_path / "none.csv")
    (tmp_path / "people.csv").write_bytes(b"username\n\xff\xfe\n")
    with pytest.raises(UserError, match="UTF-8"):
        read_people(tmp_path / "people.csv")


def test_names_on_the_command_line_are_held_to_the_same(tmp_path):
    check_names(["ann", "李雷", "o'neil@example.org"])
    with pytest.raises(Problems, match="blanks or invisible"):
        check_names(["ann", "b o"])

from pathlib import Path

from pydantic import BaseModel

from veneer.policy.decode import nested_shape
from veneer.policy.reference import main, render
from veneer.policy.schema import PolicyShape

PAGE = Path(__file__).parents[4] / "docs" / "policies.md"


def shapes(shape: type[BaseModel]) -> set[type[BaseModel]]:
    inner = [found for field in shape.model_fields.values() if (found := nested_shape(field.annotation)) is not None]
    return {shape}.union(*(shapes(found) for found in inner))


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m veneer.policy.reference docs/policies.md"


def test_every_key_is_on_the_page_with_its_meaning() -> None:
    page = render()
    for shape in shapes(PolicyShape):
        for name, field in shape.model_fields.items():
            assert field.description, f"{shape.__name__}.{name} says what it means"
            row = f"| `{field.alias or name}` |"
            assert any(row in line and field.description in line for line in page.splitlines())


def test_options_that_leave_the_standard_state_their_risk() -> None:
    compat = next(shape for shape in shapes(PolicyShape) if shape.__name__ == "CompatShape")
    assert set(compat.model_fields) == {"language_from_content", "trust_short_partial", "post_as_query"}
    for field in compat.model_fields.values():
        assert field.default is False
        assert isinstance(field.json_schema_extra, dict)
        assert field.json_schema_extra["risk"]


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    assert main([str(path)]) == 0
    assert path.read_text(encoding="utf-8") == render()
    assert main([]) == 2

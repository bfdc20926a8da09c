"""Where questions are sent, how many at once, and what they may cost."""

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class EndpointSettings(BaseModel):
    """A model behind an OpenAI-compatible endpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str
    """The endpoint, for example `http://127.0.0.1:8000/v1`."""
    model: str
    """The model's name at that endpoint."""
    api_key_env: str | None = None
    """The name of the environment variable that holds the key. The key itself never stands in a file."""
    in_flight: int = Field(default=8, ge=1, le=1000)
    """Questions under way at once."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """The endpoint's limit; requests are spread evenly under it."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """The endpoint's limit, for which a question counts with its estimated tokens and all that it may be answered."""
    input_price: float | None = Field(default=None, ge=0)
    """Of a million tokens asked, in any currency."""
    output_price: float | None = Field(default=None, ge=0)
    """Of a million tokens answered."""
    budget: float | None = Field(default=None, ge=0)
    """What all replies in one store may cost together, in the currency of the prices."""
    timeout: float = Field(default=300, gt=0)
    """Seconds after which a request is given up, and sent again."""

    @field_validator("base_url")
    @classmethod
    def _no_credentials(cls, base_url: str) -> str:
        if "@" in base_url:
            raise ValueError("base_url must not hold a user or password: it is written into files; use api_key_env")
        return base_url

    @model_validator(mode="after")
    def _prices(self) -> "EndpointSettings":
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price go together: give both, per million tokens")
        if self.budget is not None and self.input_price is None:
            raise ValueError("a budget needs input_price and output_price, per million tokens")
        return self

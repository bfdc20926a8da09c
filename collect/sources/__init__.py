"""Public and private preference data made into items and votes, with protocol, licence and origin kept."""

from .arena import import_arena, import_mt_bench
from .argilla import import_argilla
from .hh_rlhf import import_hh_rlhf
from .imported import Imported, Options, Rows, Source
from .kinds import KINDS, Kind, counted, import_source, read_source, write_import
from .label_studio import import_label_studio
from .llmbar import import_llmbar
from .pandalm import import_pandalm
from .table import COLUMNS, import_rows, import_table
from .ultrafeedback import import_binarised, import_ultrafeedback

__all__ = [
    "COLUMNS",
    "KINDS",
    "Imported",
    "Kind",
    "Options",
    "Rows",
    "Source",
    "counted",
    "import_arena",
    "import_argilla",
    "import_binarised",
    "import_hh_rlhf",
    "import_label_studio",
    "import_llmbar",
    "import_mt_bench",
    "import_pandalm",
    "import_rows",
    "import_source",
    "import_table",
    "import_ultrafeedback",
    "read_source",
    "write_import",
]

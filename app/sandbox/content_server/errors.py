"""What Content Server answers when it refuses: status code and text.

The texts are the product's own where a source shows them (reference/extended-ecm.md 2.5, 4, 5
and 9); clients tell "exists" from "not found" by these words, so they are kept to the letter.
"""

from __future__ import annotations

from typing import Any

NOT_ACCESSIBLE = (
    "Sorry, the item you requested could not be accessed. "
    "Either it does not exist or you do not have permission to access it."
)
UNKNOWN_URL = "The REST API URL could not be found in the mappings registry"
INSUFFICIENT_PERMISSIONS = "Insufficient permissions to perform that action"
NOT_ENOUGH_PERMISSIONS = "Accessibility error. Not enough permissions"
AUTHENTICATION_REQUIRED = "Authentication Required"
EDIT_CONFLICT = "Could not update metadata (edit conflict)."
CATEGORIES_NOT_NESTED = "The role 'categories' of the parameter 'roles' cannot be parsed."


class ApiError(Exception):
    """A refusal: HTTP ``status`` and the ``error`` text of the JSON body.

    ``detail`` becomes ``errorDetail`` when it is not empty.
    """

    def __init__(self, status: int, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.detail = detail

    def directory_body(self) -> dict[str, Any]:
        """The same as the directory service words it (reference/extended-ecm.md 1.1)."""
        return {"status": self.status, "error": self.text, "errorDetails": self.detail or None}

    def body(self) -> dict[str, str]:
        """The JSON body of the answer."""
        return {"error": self.text, **({"errorDetail": self.detail} if self.detail else {})}


def unauthenticated() -> ApiError:
    """A ticket that is missing, unknown or expired."""
    return ApiError(401, AUTHENTICATION_REQUIRED)


def not_accessible() -> ApiError:
    """A node that is missing or hidden: 400, not 404 (reference/extended-ecm.md 9)."""
    return ApiError(400, NOT_ACCESSIBLE)


def no_such_workspace(workspace_id: int) -> ApiError:
    """Business workspace calls answer an unknown id with 404 (reference/extended-ecm.md 9)."""
    return ApiError(404, f"The business workspace with the ID {workspace_id} does not exist.")


def name_taken(name: str) -> ApiError:
    """A name that its parent already holds: 500 in the v2 calls (reference/extended-ecm.md 2.5)."""
    return ApiError(500, f"An item with the name '{name}' already exists.")


def invalid_datatype(argument: str) -> ApiError:
    """An argument that is not of the type the call declares."""
    return ApiError(400, f"Invalid datatype specified for argument '{argument}'")


def missing_argument(argument: str) -> ApiError:
    """A required argument that the request does not carry."""
    return ApiError(400, f"Argument '{argument}' is required.")

"""The roles and their titles for administrators. Not here: what each role may do."""

from gateway.texts import TEXTS

ROLES = frozenset(
    {
        "registry_operator",
        "training_officer",
        "case_officer",
        "workshop_officer",
        "head",
        "head_of_security",
        "lsp_officer",
        "assessor",
        "committee",
        "cashier",
        "store_officer",
        "treasurer",
        "koperasi_manager",
        "koperasi_supervisor",
        "buyer",
        "dinas_placement",
        "dinas_training",
        "dinas_kukm",
        "employer",
        "bapas",
        "kanwil",
        "holder",
        "auditor",
        "administrator",
        "operator",
    }
)
PUBLIC = "public"
TITLES = {role: TEXTS[f"roles.{role}"] for role in (*ROLES, PUBLIC)}

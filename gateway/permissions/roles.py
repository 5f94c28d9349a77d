"""The roles there are. Not here: what each may do (the files beside this one, one per service)."""

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

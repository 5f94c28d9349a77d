"""The roles and their titles for administrators. Not here: what each role may do."""

TITLES = {
    "registry_operator": "operator SDP",
    "training_officer": "petugas pelatihan (Giatja)",
    "case_officer": "wali atau petugas pembinaan (Binadik)",
    "workshop_officer": "petugas bengkel kerja",
    "head": "kepala Lapas/Rutan/LPKA",
    "head_of_security": "kepala pengamanan (KPLP)",
    "lsp_officer": "petugas LSP",
    "assessor": "asesor",
    "committee": "komite sertifikasi",
    "cashier": "kasir",
    "store_officer": "petugas toko",
    "treasurer": "bendahara",
    "koperasi_manager": "pengurus koperasi",
    "koperasi_supervisor": "pengawas koperasi",
    "buyer": "pembeli",
    "dinas_placement": "Dinas tenaga kerja: penempatan",
    "dinas_training": "Dinas tenaga kerja: pelatihan",
    "dinas_kukm": "Dinas koperasi dan UKM",
    "employer": "pemberi kerja",
    "bapas": "petugas Bapas",
    "kanwil": "pejabat Kanwil",
    "holder": "pemegang kartu",
    "auditor": "pemeriksa (auditor)",
    "administrator": "administrator akses",
    "operator": "petugas sistem",
}
ROLES = frozenset(TITLES)

PUBLIC = "public"

"""Every Indonesian text of manpower that people read: titles of errors, explanations, and the texts of consent. Not here: what decides which is shown."""

from __future__ import annotations

AGENCY_NAME_TAKEN = "Instansi atau pemberi kerja dengan nama atau NIB ini sudah terdaftar"
NIB_MISSING = "Pemberi kerja harus mencantumkan NIB"
AGENCY_MOVE_REFUSED = "Status instansi tidak dapat diubah ke status ini"
AGENCY_NOT_ACTIVE = "Instansi belum disetujui, ditangguhkan, atau sudah ditutup"
REGENCY_NOT_SERVED = "Instansi ini tidak melayani kabupaten/kota tersebut"
ROUTE_MISSING = "Belum ada instansi yang ditetapkan untuk kabupaten/kota dan urusan ini"
NOT_YOUR_AGENCY = "Instansi luar hanya dapat mendaftarkan dan menilai pemberi kerja di wilayahnya"
SAME_EYES = "Persetujuan harus diberikan oleh orang lain, bukan oleh yang mengajukan"

CONSUMER_MOVE_REFUSED = "Status pengguna data tidak dapat diubah ke status ini"
CONSUMER_SUSPENDED = "Akses pengguna data ini sedang ditangguhkan"
GRANT_REFUSED = "Hak akses ini tidak dapat diberikan kepada instansi tersebut"
GRANT_ROLE = "Peran ini tidak sesuai dengan jenis instansi."
GRANT_WITHOUT_REGENCY = "Hak akses harus menyebut sedikitnya satu kabupaten/kota."
GRANT_REGENCY = "Hak akses mencakup kabupaten/kota yang tidak dilayani instansi ini."
GRANT_PERIOD = "Masa berlaku hak akses harus berakhir setelah mulai dan belum lewat."

CANDIDATE_GONE = "Data orang ini sudah ditutup"

CONSENT_ALREADY_GIVEN = "Persetujuan untuk tujuan dan penerima ini masih berlaku"
CONSENT_ENDED = "Persetujuan ini sudah berakhir"
CONSENT_TEXT_UNKNOWN = "Naskah persetujuan tidak dikenal untuk tujuan ini"
CONSENT_PERIOD = "Persetujuan harus sudah diberikan dan belum kedaluwarsa"
CONSENT_FIELDS = "Pilihan data tidak sesuai dengan tujuan persetujuan"
RECIPIENT_REFUSED = "Penerima tidak sesuai dengan tujuan persetujuan"
RECIPIENT_MUST_BE_NAMED = "Untuk tujuan ini penerima harus disebut."
RESIDENCE_MISSING = "Kabupaten/kota pada KTP belum dicatat"

FEED_CURSOR_INVALID = "Penanda umpan (cursor) tidak dikenali"
FEED_CURSOR_TOO_OLD = (
    "Penanda umpan sudah terlalu lama; ambil /v1/snapshot lalu lanjutkan dari penanda di akhirnya"
)

FROM_TIME_OR_CURSOR = "Pilih salah satu: penanda (after) atau waktu (from_time)"

VACANCY_NOT_OPEN = "Lowongan sudah ditutup atau masa berlakunya habis"
VACANCY_CLOSED_ALREADY = "Lowongan sudah ditutup"
SLOTS_FULL = "Semua tempat pada lowongan ini sudah terisi"
HEADCOUNT_REFUSED = "Jumlah tempat harus lebih besar daripada yang sudah terisi"
VALIDITY_REFUSED = "Hari terakhir lowongan sudah lewat"
WAGE_BAND_REFUSED = "Batas bawah upah harus tidak melebihi batas atas"
EMPLOYER_REFUSED = "Lowongan hanya dari pemberi kerja yang terdaftar"

APPLICATION_STEP_REFUSED = "Langkah ini tidak dapat diambil dari status lamaran sekarang"
NOT_YOUR_STEP = "Langkah ini bukan wewenang Anda"
ALREADY_APPLIED = "Masih ada lamaran berjalan untuk lowongan ini"
CONSENT_MISSING = "Tidak ada persetujuan yang berlaku untuk pemberi kerja ini"
REASON_MISSING = "Pilih alasan dari daftar"

NOT_FREE_TO_WORK = "Orang ini belum bebas dan tidak memiliki izin kerja di luar"
START_REFUSED = "Mulai kerja tidak boleh sebelum tanggal bebas"
PLACEMENT_SOURCE = "Isi salah satu: lamaran, atau kandidat dengan usaha sendiri"

# Texts of consent: read to the person, never changed once used; a new wording is a new version.

_DINAS_REGISTRATION_1 = (
    "Saya mengizinkan nama, kabupaten/kota pada KTP, keahlian bersertifikat, pengalaman kerja di bengkel, dan bulan kesiapan kerja saya diberikan kepada dinas "
    "yang disebut di atas agar saya didaftarkan sebagai pencari kerja. Dinas mengetahui bahwa saya warga binaan. Menolak tidak mengurangi hak saya. "
    "Saya dapat menarik izin ini kapan saja."
)
_TRAINING_NOMINATION_1 = (
    "Saya mengizinkan nama, keahlian bersertifikat, dan pelatihan yang telah saya selesaikan diberikan kepada penyelenggara pelatihan yang disebut di atas agar "
    "saya dapat dicalonkan. Menolak tidak mengurangi hak saya. Saya dapat menarik izin ini kapan saja."
)
_EMPLOYER_SHARE_1 = (
    "Saya mengizinkan nama, keahlian bersertifikat, dan bulan kesiapan kerja saya diberikan kepada pemberi kerja yang disebut di atas untuk lamaran saya. Status "
    "pidana saya tidak diberitahukan, tetapi pemberi kerja mungkin menyimpulkannya. Menolak tidak mengurangi hak saya. Saya dapat menarik izin ini kapan saja."
)
_TKM_APPLICATION_1 = (
    "Saya mengizinkan nama dan keahlian bersertifikat saya diberikan kepada dinas yang disebut di atas untuk usulan Tenaga Kerja Mandiri. Menolak tidak mengurangi "
    "hak saya. Saya dapat menarik izin ini kapan saja."
)
_FOLLOW_UP_CONTACT_1 = (
    "Saya mengizinkan nama dan keadaan kerja saya diberikan kepada kantor yang disebut di atas agar saya dihubungi setelah bebas. Menolak tidak mengurangi hak saya. "
    "Saya dapat menarik izin ini kapan saja."
)
_STORY_OR_PHOTO_1 = (
    "Saya mengizinkan nama saya dipakai oleh penerima yang disebut di atas dalam kisah atau foto tentang pembinaan. Menolak tidak mengurangi hak saya. "
    "Saya dapat menarik izin ini kapan saja."
)

CONSENT_TEXTS = (
    ("dinas_registration", 1, _DINAS_REGISTRATION_1),
    ("training_nomination", 1, _TRAINING_NOMINATION_1),
    ("employer_share", 1, _EMPLOYER_SHARE_1),
    ("tkm_application", 1, _TKM_APPLICATION_1),
    ("follow_up_contact", 1, _FOLLOW_UP_CONTACT_1),
    ("story_or_photo", 1, _STORY_OR_PHOTO_1),
)
"""Purpose, version, text."""

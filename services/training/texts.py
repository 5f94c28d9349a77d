"""What officers read, in Indonesian, by code. Not here: the titles of errors, which stand on their classes."""

from __future__ import annotations

from collections.abc import Mapping

GUARDS: Mapping[str, str] = {
    "UNREADABLE": "Berkas rusak, kosong, atau bukan berkas dengan bentuk yang diatur untuk UPT ini.",
    "COLUMN_MISSING": "Ada kolom wajib yang tidak ditemukan dalam berkas.",
    "FACILITY_MISMATCH": "Berkas ini memuat data UPT lain.",
    "TAKEN_AT_NOT_AFTER_LAST": "Waktu pengambilan data tidak lebih baru daripada berkas terakhir yang diterima.",
    "SOURCE_REF_DUPLICATE": "Satu nomor induk tercantum lebih dari satu kali.",
    "ROW_COUNT_DOWN": "Jumlah baris turun lebih banyak daripada batas yang diizinkan.",
    "PEOPLE_GONE": "Terlalu banyak orang dari berkas terakhir yang tidak lagi tercantum.",
}

ROWS: Mapping[str, str] = {
    "REQUIRED_EMPTY": "Kolom wajib kosong.",
    "FORMULA_CELL": "Sel berisi rumus, bukan nilai.",
    "DATE_INVALID": "Tanggal tidak ada dalam kalender atau bentuknya tidak dikenal.",
    "VALUE_UNMAPPED": "Istilah ini belum diberi arti.",
    "ROW_SHAPE": "Jumlah kolom baris ini berbeda dari judul kolom.",
    "FIELD_EMPTIED": "Kolom ini kosong padahal sebelumnya terisi; nilai lama dipertahankan.",
    "MERGE_TARGET_UNKNOWN": "Nomor induk tujuan penggabungan tidak dikenal.",
    "ROW_FAILED": "Baris ini tidak dapat diproses; petugas sistem sudah diberi tahu.",
    "NIK_NUMBER_CELL": "NIK tersimpan sebagai angka sehingga digitnya hilang; simpan sebagai teks.",
    "NIK_LENGTH": "NIK harus 16 digit.",
    "NIK_DAY": "Tanggal lahir di dalam NIK tidak mungkin.",
    "NIK_MONTH": "Bulan lahir di dalam NIK tidak mungkin.",
    "NIK_SERIAL": "Nomor urut di dalam NIK tidak mungkin 0000.",
    "NIK_BIRTH_DATE_DIFFERS": "Tanggal lahir di dalam NIK berbeda dari kolom tanggal lahir.",
    "NIK_SEX_DIFFERS": "Jenis kelamin di dalam NIK berbeda dari kolom jenis kelamin.",
}

ITEMS: Mapping[str, str] = {
    "QUARANTINE": "Berkas daftar penghuni dikarantina",
    "ROW_STOPPED": "Satu baris daftar penghuni tidak dapat diterima",
    "MISSING": "Tidak tercantum pada tiga daftar berturut-turut",
    "MERGE_PROPOSAL": "Dua data mungkin milik satu orang",
    "CUSTODY_CONFLICT": "Tercantum di dua UPT dengan tanggal masuk yang sama",
    "RELEASE_WITHDRAWN": "Pernah tercatat bebas, tetapi masih tercantum tanpa keterangan bebas",
    "NEW_BLOCK": "Peserta kelas tidak lagi memenuhi syarat",
    "MARK_CONFLICT": "Dua catatan presensi berbeda untuk satu sesi",
    "DECISION_NOT_APPLIED": "Hasil sidang TPP tidak dapat diterapkan pada satu peserta",
}

REASONS: Mapping[str, str] = {
    "NOT_PRESENT": "Tidak berada di UPT saat ini.",
    "FACILITY_DIFFERS": "Berada di UPT lain.",
    "RELEASE_BEFORE_CLASS_END": "Perkiraan bebas sebelum kelas selesai.",
    "TPP_MISSING": "Belum ada keputusan sidang TPP untuk kelas ini.",
    "TPP_NOT_RECOMMENDED": "Sidang TPP tidak merekomendasikan.",
    "TPP_EXPIRED": "Keputusan sidang TPP sudah tidak berlaku.",
    "TPP_NOT_APPROVED": "Keputusan sidang TPP belum disetujui Kalapas.",
    "ALREADY_ENROLLED": "Sudah menjadi peserta kelas ini.",
    "ALREADY_COMPLETED": "Sudah lulus program ini.",
    "FACT_UNKNOWN": "Data yang diperlukan belum ada.",
}

COMPLETION: Mapping[str, str] = {
    "ATTENDANCE_BELOW_MINIMUM": "Kehadiran di bawah batas minimum.",
    "LESSON_HOURS_BELOW_MINIMUM": "Jam pelajaran yang diikuti di bawah batas minimum.",
    "PART_NOT_PASSED": "Ada bagian wajib yang belum lulus.",
    "NO_SESSION_HELD": "Belum ada sesi yang dilaksanakan.",
    "NOT_CONFIRMED": "Belum dikonfirmasi instruktur kelas ini.",
}

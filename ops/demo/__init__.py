"""The demo: one person's path from the prison's list to a job, step by step.

Each step is taken by the role that would take it. Not here: how the steps are shown (run).
"""

from __future__ import annotations

from ops.demo import assessment, prison, work, workshop
from ops.demo.context import DemoContext, DemoStep

STEPS: tuple[tuple[str, str, str, DemoStep], ...] = (
    (
        "facility",
        "Administrator mendaftarkan Lapas Tanjungpandan, yang melayani dua kabupaten.",
        "",
        prison.open_facility,
    ),
    (
        "snapshot",
        "Petugas registrasi mengunggah berkas harian; warga binaan masuk menurut selisihnya.",
        "training.participant-admitted.v1",
        prison.import_snapshot,
    ),
    (
        "class",
        "Petugas pembinaan membuka kelas las.",
        "training.class-opened.v1",
        prison.open_class,
    ),
    (
        "application",
        "Wali pemasyarakatan mendaftarkan seorang warga binaan.",
        "training.application-submitted.v1",
        prison.apply_for_class,
    ),
    (
        "tpp",
        "Sidang TPP merekomendasikan pelatihan dan kerja, Kalapas menyetujui.",
        "training.work-eligibility-decided.v1",
        prison.decide_tpp,
    ),
    (
        "enrolment",
        "Ia menjadi peserta; satu kursi terpakai.",
        "training.participant-enrolled.v1",
        prison.enrol_participant,
    ),
    (
        "attendance",
        "Ia hadir di setiap sesi.",
        "training.attendance-recorded.v1",
        prison.attend_sessions,
    ),
    (
        "lsp",
        "LSP menyiapkan lisensi, kunci, skema, asesor dan TUK.",
        "",
        assessment.prepare_certification,
    ),
    ("completion", "Ia lulus pelatihan.", "training.course-completed.v1", prison.complete_course),
    (
        "assessment-application",
        "Kelulusan itu membuka permohonan sertifikasi di LSP.",
        "certification.application-opened.v1",
        assessment.open_application,
    ),
    (
        "assessment",
        "Asesor menilai: kompeten pada semua unit.",
        "certification.competency-assessed.v1",
        assessment.assess,
    ),
    (
        "certificate",
        "Pleno memutuskan kompeten; sertifikat ditandatangani.",
        "certification.certificate-issued.v1",
        assessment.decide_panel,
    ),
    (
        "verification",
        "Siapa pun memeriksa sertifikat; yang diubah ditolak.",
        "",
        assessment.check_certificate,
    ),
    (
        "production",
        "Bengkel membuat tujuh rak; asal-usulnya tampil tanpa menyebut orang.",
        "marketplace.work-logged.v1",
        workshop.produce,
    ),
    (
        "sale",
        "Seorang pembeli memesan dan membayar; hasilnya dibagi sampai ke rupiah.",
        "marketplace.proceeds-split.v1",
        workshop.sell,
    ),
    (
        "sold-out",
        "Tujuh terjual; pembeli kedelapan diberi tahu stok habis.",
        "marketplace.proceeds-split.v1",
        workshop.sell_out,
    ),
    ("books", "Bendahara melihat buku seimbang.", "", workshop.check_books),
    (
        "dinas",
        "Dengan persetujuannya, Dinas Belitung melihat calon tenaga kerja yang bersertifikat.",
        "",
        work.share_with_dinas,
    ),
    (
        "placement",
        "Ia diterima bekerja; penempatan tampil di lini masanya.",
        "manpower.placement-confirmed.v1",
        work.confirm_placement,
    ),
    ("borders", "Petugas Lapas lain tidak menemukan orang ini.", "", prison.refuse_others),
)

__all__ = ["STEPS", "DemoContext"]

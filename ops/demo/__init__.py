"""The demo: one person's path from the prison's daily file to a job, step by step.

The role that is responsible takes each step. Not here: how the steps are shown (run).
"""

from __future__ import annotations

from ops.demo import assessment, prison, work, workshop
from ops.demo.context import DemoContext, DemoStep
from ops.language import Bilingual

# Name, what happens, the event that it publishes ("" = none), and the function.
STEPS: tuple[tuple[str, Bilingual, str, DemoStep], ...] = (
    (
        "facility",
        Bilingual(
            "Administrator mendaftarkan Lapas Tanjungpandan, yang melayani dua kabupaten.",
            "An administrator registers the prison Tanjungpandan, which serves two regencies.",
        ),
        "",
        prison.open_facility,
    ),
    (
        "snapshot",
        Bilingual(
            "Petugas registrasi mengunggah berkas harian; warga binaan masuk menurut selisihnya.",
            "The registry uploads the daily file; the difference admits the participants.",
        ),
        "training.participant-admitted.v1",
        prison.import_snapshot,
    ),
    (
        "class",
        Bilingual(
            "Petugas pembinaan membuka kelas las.", "A training officer opens a welding class."
        ),
        "training.class-opened.v1",
        prison.open_class,
    ),
    (
        "application",
        Bilingual(
            "Wali pemasyarakatan mendaftarkan seorang warga binaan.",
            "A case officer applies for a participant.",
        ),
        "training.application-submitted.v1",
        prison.apply_for_class,
    ),
    (
        "tpp",
        Bilingual(
            "Sidang TPP merekomendasikan pelatihan dan kerja, Kalapas menyetujui.",
            "The TPP board recommends training and work; the head of the prison approves.",
        ),
        "training.work-eligibility-decided.v1",
        prison.decide_tpp,
    ),
    (
        "enrolment",
        Bilingual(
            "Ia menjadi peserta; satu kursi terpakai.",
            "The participant is enrolled; one seat is taken.",
        ),
        "training.participant-enrolled.v1",
        prison.enrol_participant,
    ),
    (
        "attendance",
        Bilingual(
            "Ia hadir pada semua jam pelajaran kursus sehari itu.",
            "The participant attends every lesson hour of the one-day course.",
        ),
        "training.attendance-recorded.v1",
        prison.attend_sessions,
    ),
    (
        "lsp",
        Bilingual(
            "LSP menyiapkan lisensi, kunci, skema, asesor dan TUK.",
            "The LSP prepares licence, keys, scheme, assessor and venue.",
        ),
        "",
        assessment.prepare_certification,
    ),
    (
        "completion",
        Bilingual("Ia lulus pelatihan.", "The participant completes the course."),
        "training.course-completed.v1",
        prison.complete_course,
    ),
    (
        "assessment-application",
        Bilingual(
            "Kelulusan itu membuka permohonan sertifikasi di LSP.",
            "The completion opens an application for certification at the LSP.",
        ),
        "certification.application-opened.v1",
        assessment.open_application,
    ),
    (
        "assessment",
        Bilingual(
            "Asesor menilai: kompeten pada semua unit.",
            "The assessor finds: competent in all units.",
        ),
        "certification.competency-assessed.v1",
        assessment.assess,
    ),
    (
        "certificate",
        Bilingual(
            "Pleno memutuskan kompeten; sertifikat ditandatangani.",
            "The panel decides competent; the certificate is signed.",
        ),
        "certification.certificate-issued.v1",
        assessment.decide_panel,
    ),
    (
        "verification",
        Bilingual(
            "Siapa pun memeriksa sertifikat; yang diubah ditolak.",
            "Anybody checks the certificate; a changed copy is refused.",
        ),
        "",
        assessment.check_certificate,
    ),
    (
        "production",
        Bilingual(
            "Bengkel membuat tujuh rak; asal-usulnya tampil tanpa menyebut orang.",
            "The workshop makes seven shelves; their origin is shown without names.",
        ),
        "marketplace.work-logged.v1",
        workshop.produce,
    ),
    (
        "sale",
        Bilingual(
            "Seorang pembeli memesan dan membayar; hasilnya dibagi sampai ke rupiah.",
            "A buyer orders and pays; the proceeds are split to the rupiah.",
        ),
        "marketplace.proceeds-split.v1",
        workshop.sell,
    ),
    (
        "sold-out",
        Bilingual(
            "Tujuh terjual; pembeli kedelapan diberi tahu stok habis.",
            "Seven are sold; the eighth buyer reads that none is left.",
        ),
        "marketplace.proceeds-split.v1",
        workshop.sell_out,
    ),
    (
        "books",
        Bilingual("Bendahara melihat buku seimbang.", "The treasurer sees that the books balance."),
        "",
        workshop.check_books,
    ),
    (
        "dinas",
        Bilingual(
            "Dengan persetujuannya, Dinas Belitung melihat calon tenaga kerja yang bersertifikat.",
            "With consent, the Dinas of Belitung sees the certified candidate.",
        ),
        "",
        work.share_with_dinas,
    ),
    (
        "placement",
        Bilingual(
            "Ia diterima bekerja; penempatan tampil di lini masanya.",
            "The candidate is hired; the placement is on the timeline.",
        ),
        "manpower.placement-confirmed.v1",
        work.confirm_placement,
    ),
    (
        "borders",
        Bilingual(
            "Petugas Lapas lain tidak menemukan orang ini.",
            "An officer of another prison does not find this person.",
        ),
        "",
        prison.refuse_others,
    ),
)

__all__ = ["STEPS", "DemoContext"]

"""The users of `make seed`, with names in many languages and scripts. Their phone numbers are reserved for fiction."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExampleUser:
    """A user's profile."""

    name: str
    surname: str
    mailbox: str  # the local part of the email address
    locale: str
    time_zone: str
    phone: str = ""


EXAMPLE_USERS = [
    ExampleUser("Ada", "Lovelace", "ada.lovelace", "en-GB", "Europe/London", "+442079460018"),
    ExampleUser("Grace", "Hopper", "grace.hopper", "en-US", "America/New_York", "+12025550143"),
    ExampleUser("Sofia", "Ricci", "sofia.ricci", "it", "Europe/Rome"),
    ExampleUser("Niccolò", "D’Angelo", "niccolo.dangelo", "it", "Europe/Rome"),
    ExampleUser("François", "Lefèvre", "francois.lefevre", "fr", "Europe/Paris"),
    ExampleUser("Anaïs", "Le Gall", "anais.legall", "fr", "Europe/Paris"),
    ExampleUser("Jürgen", "Groß", "juergen.gross", "de", "Europe/Berlin", "+493023125006"),
    ExampleUser("Käthe", "Müller-Lüdenscheidt", "kaethe.mueller", "de", "Europe/Vienna"),
    ExampleUser("María José", "Núñez Ibáñez", "mariajose.nunez", "es", "Europe/Madrid"),
    ExampleUser("Xochitl", "Hernández", "xochitl.hernandez", "es-MX", "America/Mexico_City"),
    ExampleUser("João", "Gonçalves", "joao.goncalves", "pt-BR", "America/Sao_Paulo"),
    ExampleUser("Łukasz", "Wiśniewski", "lukasz.wisniewski", "pl", "Europe/Warsaw"),
    ExampleUser("Zuzana", "Dvořáková", "zuzana.dvorakova", "cs", "Europe/Prague"),
    ExampleUser("Ágnes", "Szőke", "agnes.szoke", "hu", "Europe/Budapest"),
    ExampleUser("Søren", "Ærøskøbing", "soren.aeroskobing", "da", "Europe/Copenhagen"),
    ExampleUser("Þórdís", "Björnsdóttir", "thordis.bjornsdottir", "is", "Atlantic/Reykjavik"),
    ExampleUser("Aino", "Yli-Häkkinen", "aino.ylihakkinen", "fi", "Europe/Helsinki"),
    ExampleUser("İpek", "Çağlar", "ipek.caglar", "tr", "Europe/Istanbul"),
    ExampleUser("Ελένη", "Παπαδοπούλου", "eleni.papadopoulou", "el", "Europe/Athens"),
    ExampleUser("Андрій", "Шевченко", "andrii.shevchenko", "uk", "Europe/Kyiv"),
    ExampleUser("Ольга", "Ковалевская", "olga.kovalevskaya", "ru", "Asia/Yerevan"),
    ExampleUser("נועה", "לוי", "noa.levi", "he", "Asia/Jerusalem"),
    ExampleUser("فاطمة", "الزهراء", "fatima.alzahra", "ar", "Africa/Cairo"),
    ExampleUser("آرش", "کمانگیر", "arash.kamangir", "fa", "Asia/Tehran"),
    ExampleUser("अनन्या", "शर्मा", "ananya.sharma", "hi", "Asia/Kolkata"),
    ExampleUser("சுப்ரமணியன்", "இராமன்", "subramanian.raman", "ta", "Asia/Colombo"),
    ExampleUser("สมชาย", "ใจดี", "somchai.jaidee", "th", "Asia/Bangkok"),
    ExampleUser("Nguyễn", "Thị Hương", "huong.nguyen", "vi", "Asia/Ho_Chi_Minh"),
    ExampleUser("伟", "王", "wei.wang", "zh-Hans", "Asia/Shanghai"),
    ExampleUser("さくら", "田中", "sakura.tanaka", "ja", "Asia/Tokyo"),
    ExampleUser("지훈", "김", "jihun.kim", "ko", "Asia/Seoul"),
    ExampleUser("Sukarno", "-", "sukarno", "id", "Asia/Jakarta"),
    ExampleUser("Chimamanda", "Ọ̀ṣun", "chimamanda.osun", "yo", "Africa/Lagos"),
    ExampleUser("Thandiwe", "Ndlovu", "thandiwe.ndlovu", "zu", "Africa/Johannesburg"),
    ExampleUser("Kealoha", "Kaʻahumanu", "kealoha.kaahumanu", "haw", "Pacific/Honolulu"),
    ExampleUser("Aroha", "Tāwhai", "aroha.tawhai", "mi", "Pacific/Auckland"),
]

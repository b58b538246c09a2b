"""The people of `make seed`, with names as they are written in many languages. Their phones are kept for films."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """Someone with an account."""

    name: str
    surname: str
    mailbox: str  # what stands before the @ of the address
    locale: str
    time_zone: str
    phone: str = ""


PEOPLE = [
    Person("Ada", "Lovelace", "ada.lovelace", "en-GB", "Europe/London", "+442079460018"),
    Person("Grace", "Hopper", "grace.hopper", "en-US", "America/New_York", "+12025550143"),
    Person("Sofia", "Ricci", "sofia.ricci", "it", "Europe/Rome"),
    Person("Niccolò", "D’Angelo", "niccolo.dangelo", "it", "Europe/Rome"),
    Person("François", "Lefèvre", "francois.lefevre", "fr", "Europe/Paris"),
    Person("Anaïs", "Le Gall", "anais.legall", "fr", "Europe/Paris"),
    Person("Jürgen", "Groß", "juergen.gross", "de", "Europe/Berlin", "+493023125006"),
    Person("Käthe", "Müller-Lüdenscheidt", "kaethe.mueller", "de", "Europe/Vienna"),
    Person("María José", "Núñez Ibáñez", "mariajose.nunez", "es", "Europe/Madrid"),
    Person("Xochitl", "Hernández", "xochitl.hernandez", "es-MX", "America/Mexico_City"),
    Person("João", "Gonçalves", "joao.goncalves", "pt-BR", "America/Sao_Paulo"),
    Person("Łukasz", "Wiśniewski", "lukasz.wisniewski", "pl", "Europe/Warsaw"),
    Person("Zuzana", "Dvořáková", "zuzana.dvorakova", "cs", "Europe/Prague"),
    Person("Ágnes", "Szőke", "agnes.szoke", "hu", "Europe/Budapest"),
    Person("Søren", "Ærøskøbing", "soren.aeroskobing", "da", "Europe/Copenhagen"),
    Person("Þórdís", "Björnsdóttir", "thordis.bjornsdottir", "is", "Atlantic/Reykjavik"),
    Person("Aino", "Yli-Häkkinen", "aino.ylihakkinen", "fi", "Europe/Helsinki"),
    Person("İpek", "Çağlar", "ipek.caglar", "tr", "Europe/Istanbul"),
    Person("Ελένη", "Παπαδοπούλου", "eleni.papadopoulou", "el", "Europe/Athens"),
    Person("Андрій", "Шевченко", "andrii.shevchenko", "uk", "Europe/Kyiv"),
    Person("Ольга", "Ковалевская", "olga.kovalevskaya", "ru", "Asia/Yerevan"),
    Person("נועה", "לוי", "noa.levi", "he", "Asia/Jerusalem"),
    Person("فاطمة", "الزهراء", "fatima.alzahra", "ar", "Africa/Cairo"),
    Person("آرش", "کمانگیر", "arash.kamangir", "fa", "Asia/Tehran"),
    Person("अनन्या", "शर्मा", "ananya.sharma", "hi", "Asia/Kolkata"),
    Person("சுப்ரமணியன்", "இராமன்", "subramanian.raman", "ta", "Asia/Colombo"),
    Person("สมชาย", "ใจดี", "somchai.jaidee", "th", "Asia/Bangkok"),
    Person("Nguyễn", "Thị Hương", "huong.nguyen", "vi", "Asia/Ho_Chi_Minh"),
    Person("伟", "王", "wei.wang", "zh-Hans", "Asia/Shanghai"),
    Person("さくら", "田中", "sakura.tanaka", "ja", "Asia/Tokyo"),
    Person("지훈", "김", "jihun.kim", "ko", "Asia/Seoul"),
    Person("Sukarno", "-", "sukarno", "id", "Asia/Jakarta"),
    Person("Chimamanda", "Ọ̀ṣun", "chimamanda.osun", "yo", "Africa/Lagos"),
    Person("Thandiwe", "Ndlovu", "thandiwe.ndlovu", "zu", "Africa/Johannesburg"),
    Person("Kealoha", "Kaʻahumanu", "kealoha.kaahumanu", "haw", "Pacific/Honolulu"),
    Person("Aroha", "Tāwhai", "aroha.tawhai", "mi", "Pacific/Auckland"),
]

"""What names of columns and tables say of people, in seven languages.

English, German, Spanish, French, Portuguese, Italian and Dutch; accents do not count.
"""

from __future__ import annotations

import re
import unicodedata

_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"e_?mail(_?(address|adresse?|adres))?$|^(correo(_electronico)?|courriel)$", "email"),
    (r"(first|given|fore)_?names?$|^fname$", "first_name"),
    (r"(^|_)(vorname|voornaam|prenom|primer_nombre|nombre_de_pila|primeiro_nome)$", "first_name"),
    (r"(last|family|sur)_?names?$|^lname$|^surname$", "last_name"),
    (r"(^|_)(nachname|familienname|achternaam|apellidos?|cognome|sobrenome)$", "last_name"),
    (r"(^|_)nom_(de_)?famille$", "last_name"),
    (r"(phone|mobile|cell|fax|telephone)(_?(number|no|nr))?$|^tel$|msisdn", "phone_number"),
    (r"(^|_)(telefon|telefono|telefone|telefoon|movil|cellulare|celular)(_?(nummer|nr|numero))?$",
     "phone_number"),
    (r"street|^addr(ess)?(_?line)?_?[12]?$", "street_address"),
    (r"(home|billing|shipping|mail)_?address$", "street_address"),
    (r"(^|_)(strasse|straat|anschrift|adresse?|adres|direccion|endereco|indirizzo|rue|calle)$",
     "street_address"),
    (r"(postal|post|zip)_?code$|^zip$|^postcode$", "postcode"),
    (r"(^|_)(plz|postleitzahl|cod(igo|ice)?_?postale?|code_postal|cep)$", "postcode"),
    (r"^ssn$|_ssn$|social_security|national_id(_?number)?$|tax_?payer_?id", "ssn"),
    (r"(^|_)tax_?(id|number|no|nr)$", "ssn"),
    (r"(^|_)(steuer_?id|steuernummer|sozialversicherungsnummer|dni|nie|nif|cpf|bsn|pesel|nino)$",
     "ssn"),
    (r"codice_?fiscale|numero_(de_)?securite_sociale|(^|_)ahv(_?nr)?$|burgerservicenummer", "ssn"),
    (r"\biban\b|_iban$|^iban", "iban"),
    (r"(credit_?)?card_?(number|no|nr)$|^ccn$", "credit_card_number"),
    (r"kreditkarten_?(nummer|nr)|numero_(de_)?(tarjeta|carte|cartao|carta)|kaartnummer",
     "credit_card_number"),
    (r"(^|_)ip(_?v4)?(_?addr(ess)?)?$", "ipv4_address"),
    (r"(^|_)ip_?v6(_?addr(ess)?)?$", "ipv6_address"),
    (r"(^|_)mac_?addr(ess)?$", "mac_address"),
    (r"^(user_?name|login(_name)?|user_login)$", "user_name"),
    (r"(^|_)(benutzername|nom_(d_)?utilisateur|nombre_(de_)?usuario|nome_utente|gebruikersnaam)$",
     "user_name"),
    (r"pass_?word|passwd|pwd_hash|(^|_)(passwort|kennwort|contrasena|mot_de_passe|wachtwoord)$",
     "password"),
    (r"(full|customer|contact|person|employee|patient)_?name$", "name"),
    (r"(member|holder|billing|user|display)_?name$", "name"),
    (r"(^|_)(nom_complet|nombre_completo|nome_completo|volledige_naam|(kunden|mitarbeiter)name)$",
     "name"),
    (r"licen[cs]e_?plate|number_plate", "license_plate"),
    (r"(^|_)(kfz_?)?kennzeichen$|(^|_)(immatriculation|targa|kenteken)$", "license_plate"),
)  # fmt: skip
_NAME_RULES = tuple((re.compile(pattern), sdtype) for pattern, sdtype in _BY_NAME)
_JUST_NAME = frozenset({"name", "nom", "nombre", "nome", "naam"})

_NUMBERS = frozenset({"phone_number", "postcode", "ssn", "iban", "credit_card_number"})
# `has_phone` and `num_faxes` count, and a cell may be one of a battery or a grid
_NO_PERSON = re.compile(r"^(has|is|n|nb|num|no_of|count|with)_|(^|_)(cell|mobile)$|_count$")

_PERSON_TABLES = re.compile(
    r"customer|client|user|person|people|employee|staff|patient|member|contact|guest|student|driver"
    r"|doctor|teacher|nurse|physician|agent|worker|author|player|owner|tenant|subscriber|applicant"
    r"|household|passenger|visitor|citizen|resident|borrower|donor|participant|candidate|actor"
    r"|(^|_)kunde|mitarbeiter|benutzer|usuario|empleado|employe|utilisateur|pessoa|funcionario|utente"
    r"|dipendent|klant|medewerker"
)
_PERSONAL = re.compile(
    r"(^|_)(birth\w*|born|dob|sex|gender|age|salary|wage|income|hired|hire_date|marital\w*|race"
    r"|religion|nationality|ethnicity)(_|$)"
)


def name_sdtype(name: str, table: str = "") -> str | None:
    """The personal sdtype that a column's name tells, or None.

    Args:
        name: The column's name, in any case.
        table: The table's name; a column called just `name` is personal in a table of people.
    """
    words = snake(name)
    by_name = next((sdtype for pattern, sdtype in _NAME_RULES if pattern.search(words)), None)
    if by_name is None and words in _JUST_NAME and _PERSON_TABLES.search(snake(table)):
        return "name"
    return by_name


def person_number(name: str) -> str | None:
    """The personal sdtype of a column of numbers by its name, or None where that is not clear."""
    words = snake(name)
    sdtype = None if _NO_PERSON.search(words) else name_sdtype(name)
    return sdtype if sdtype in _NUMBERS else None


def is_person_table(name: str) -> bool:
    """Whether a table's name says that its rows are people."""
    return bool(_PERSON_TABLES.search(snake(name.rsplit(".", 1)[-1])))


def is_about_a_person(column: str) -> bool:
    """Whether a column's name says that it tells of a person, though it need not name one."""
    return bool(_PERSONAL.search(column.lower()))


def snake(name: str) -> str:
    """`EMail Adresse` as `e_mail_adresse`: words in small letters, without accents."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()
    return re.sub(r"[\s\-]+", "_", words)

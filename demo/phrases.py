"""Sentences to read aloud while somebody is enrolled: six in each language, about five seconds each, written for this
program so that most sounds of the language occur; or none, to talk freely."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

FREE = "Talk about anything"
FREE_TEXT = (
    "Tell of your way to work, of a meal you like to cook, or of a journey: whole sentences, as you usually speak, for "
    "half a minute."
)
CHOOSE = "Read aloud in"


@dataclass(frozen=True)
class Passage:
    """`code`: of the language, BCP 47. `rightward`: is it written from left to right?"""

    code: str
    sentences: tuple[str, ...]
    rightward: bool = True


PASSAGES = {
    "English": Passage(
        "en",
        (
            "My grandmother kept a garden behind the old station, where the evening train to the coast slows down.",
            "In spring she counted her tulips, in summer she sold beans and strawberries from a blue cart.",
            "In autumn the whole street came to press apples, and somebody always brought a violin.",
            "She knew the name of every bird, though she mixed up the names of her neighbours.",
            "On rainy days we sat under the tin roof, listened to the drops, and guessed which train would be late.",
            "She was usually right; when I hear rain today, I still look at the clock and think of fresh juice.",
        ),
    ),
    "Deutsch": Passage(
        "de",
        (
            "Hinter dem alten Bahnhof pflegte meine Großmutter einen Garten, an dem der Abendzug zur Küste langsam "
            "vorüberfuhr.",
            "Im Frühling zählte sie die Tulpen, im Sommer verkaufte sie Bohnen und Erdbeeren von einem blauen Karren.",
            "Im Herbst kam die ganze Straße zum Äpfelpressen, und irgendjemand brachte immer eine Geige mit.",
            "Sie kannte jeden Vogel beim Namen, verwechselte aber häufig die Namen ihrer Nachbarn.",
            "An Regentagen saßen wir unter dem Blechdach, horchten auf die Tropfen und rieten, welcher Zug sich "
            "verspäten würde.",
            "Meistens behielt sie recht; höre ich heute Regen, schaue ich noch immer zur Uhr und denke an frischen "
            "Saft.",
        ),
    ),
    "Español": Passage(
        "es",
        (
            "Detrás de la vieja estación, mi abuela cuidaba un jardín junto al que pasaba despacio el tren de la "
            "costa.",
            "En primavera contaba los tulipanes y en verano vendía judías y fresas en un carrito azul.",
            "En otoño venía toda la calle a exprimir manzanas, y siempre había alguien que traía un violín.",
            "Conocía el nombre de cada pájaro, aunque confundía los nombres de sus vecinos.",
            "Los días de lluvia nos sentábamos bajo el techo de chapa, oíamos caer las gotas y adivinábamos qué tren "
            "llegaría tarde.",
            "Casi siempre acertaba; hoy, cuando llueve, aún miro el reloj y pienso en aquel zumo fresco.",
        ),
    ),
    "Français": Passage(
        "fr",
        (
            "Derrière la vieille gare, ma grand-mère cultivait un jardin que le train du soir longeait doucement vers "
            "la côte.",
            "Au printemps elle comptait ses tulipes, et l'été elle vendait des haricots et des fraises dans une "
            "charrette bleue.",
            "En automne, toute la rue venait presser des pommes, et quelqu'un apportait toujours un violon.",
            "Elle connaissait le nom de chaque oiseau, mais elle confondait ceux de ses voisins.",
            "Les jours de pluie, assis sous le toit de tôle, nous écoutions les gouttes et devinions quel train serait "
            "en retard.",
            "Elle avait presque toujours raison ; aujourd'hui encore, quand il pleut, je regarde l'heure et je pense à "
            "ce jus frais.",
        ),
    ),
    "العربية": Passage(
        "ar",
        (
            "خلف المحطة القديمة كانت جدتي تعتني بحديقة صغيرة يمر بجانبها قطار المساء ببطء نحو الساحل.",
            "في الربيع كانت تعدّ أزهار التوليب، وفي الصيف تبيع الفاصولياء والفراولة من عربة زرقاء.",
            "وفي الخريف يأتي أهل الشارع كلهم لعصر التفاح، ويحضر أحدهم دائمًا كمانًا.",
            "كانت تعرف اسم كل طائر، لكنها تخلط كثيرًا بين أسماء جيرانها.",
            "في الأيام الممطرة كنا نجلس تحت السقف المعدني، نصغي إلى القطرات ونخمّن أيّ قطار سيتأخر.",
            "وكانت غالبًا على صواب؛ وحين أسمع المطر اليوم أنظر إلى الساعة وأتذكر طعم العصير الطازج.",
        ),
        rightward=False,
    ),
    "हिन्दी": Passage(
        "hi",
        (
            "पुराने स्टेशन के पीछे मेरी दादी का एक बगीचा था, जिसके पास से शाम की गाड़ी धीरे-धीरे गुज़रती थी।",
            "वसंत में वे फूल गिनती थीं, और गर्मियों में नीली ठेलागाड़ी पर फलियाँ और स्ट्रॉबेरी बेचती थीं।",
            "पतझड़ में पूरा मोहल्ला सेब का रस निकालने आता, और कोई न कोई हमेशा बाँसुरी ले आता।",
            "उन्हें हर पंछी का नाम याद था, पर पड़ोसियों के नाम वे अक्सर भूल जाती थीं।",
            "बारिश के दिनों में हम टीन की छत के नीचे बैठते, बूँदों की आवाज़ सुनते और सोचते कि कौन सी गाड़ी देर से आएगी।",
            "वे ज़्यादातर सही निकलतीं; आज भी बारिश सुनकर मेरी नज़र घड़ी पर जाती है और उस ताज़े रस का स्वाद याद आता है।",
        ),
    ),
}
CHOICES = (*PASSAGES, FREE)


def passage(choice: str | None) -> str:
    """What to read aloud, as HTML in the direction of its script; for `FREE` what to talk about."""
    found = PASSAGES.get(choice or "")
    if found is None:
        return f'<p class="passage">{escape(FREE_TEXT)}</p>'
    direction = "ltr" if found.rightward else "rtl"
    lines = "".join(f"<li>{escape(sentence)}</li>" for sentence in found.sentences)
    return f'<ol class="passage" lang="{found.code}" dir="{direction}">{lines}</ol>'

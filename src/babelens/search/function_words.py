"""Words that carry grammar and no subject: a question is not looked up by its "how" and "does".

Short on purpose: articles, prepositions, conjunctions, pronouns, auxiliaries, what questions begin with, and the
"mean" of "what does E2 mean". They do not count where it is judged how much of a query was found, and are not marked in
excerpts. The search itself keeps them: leaving them out of queries gained little on questions and lost as much on
others (`python -m benchmarks bm25`).

Japanese has none here, since its tokens are no words: pairs that begin with hiragana, which its grammar is written in,
stand for them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from ..storage.fulltext import Word, words_of

# A pair that begins with hiragana, or goes from katakana to it, stands across the end of a word.
_ACROSS: Final = re.compile("[\u3041-\u309f]|[\u30a1-\u30ff][\u3041-\u309f]")

_LISTS: Final[dict[str, str]] = {
    "en": """
        a an the this that these those and or but not if of to in on at by for from with without into onto over under
        about as than then so is are was were be been being am do does did done has have had having can could may might
        must shall should will would i you he she it we they me him her us them my your his its our their who whom
        whose which what when where why how there here get gets got mine yours isn don doesn s t mean means
    """,
    "es": """
        el la los las un una unos unas lo al del y e o u ni pero no si de a en con sin por para sobre entre hasta desde
        hacia segun tras que como cuando donde porque cual cuales quien quienes cuanto cuanta cuantos cuantas cada es
        son era eran fue fueron ser sido siendo esta estan estaba estar este estos estas ese esa eso esos esas hay ha
        han he has haber habia hace hacer hago debe debo deben puede puedo pueden yo tu el ella ellos ellas nosotros me
        te se nos les le mi mis su sus tus muy ya tambien mas significa significan
    """,
    "fr": """
        le la les l un une des du de d au aux et ou mais ni ne pas n si que qu qui quoi dont ou quand comment pourquoi
        quel quelle quels quelles combien est ce c cet cette ces sont etait etaient etre ete suis es a ont ai as avoir
        avait il elle ils elles on je j tu nous vous me m te t se s lui leur leurs mon ma mes ton ta tes son sa ses
        notre nos votre vos y en dans par pour sur sous avec sans entre vers chez jusque depuis faut fait faire peut
        puis peux peuvent dois doit doivent plus tres aussi signifie signifient
    """,
    "hi": """
        का की के को से में पर ने तक और या तथा एवं कि जो वह यह ये वे इस उस इन उन इसे उसे इन्हें उन्हें इसका इसकी इसके उसका
        उसकी उसके मैं हम तुम आप मेरा मेरी मेरे अपना अपनी अपने हमारा है हैं था थी थे हो हों हूं होता होती होते होना हुआ
        हुई हुए रहा रही रहे गया गई गए कर करना करूं करें करता करते किया जा जाता जाती जाए जाऊं सकता सकती सकते चाहिए क्या
        क्यों कब कहां कैसे कौन कौनसा किस किसे किसका कितना कितनी कितने सा सी ही भी तो न नहीं मत लिए साथ बाद एक मतलब अर्थ
    """,
    "de": """
        der die das den dem des ein eine einen einem einer eines und oder aber nicht kein keine keinen wenn ob als wie
        wo wer wen wem wann warum wieso weshalb was welche welcher welches welchen welchem wodurch womit wozu wohin
        woher in im an am auf aus bei beim mit nach von vom zu zum zur uber unter vor hinter zwischen durch fur gegen
        ohne um bis seit ist sind war waren sein bin bist hat habe haben hatte hatten wird werden wurde wurden kann
        konnen konnte muss mussen musste soll sollen darf durfen ich du er sie es wir ihr mich dich sich uns euch mir
        dir ihm ihn ihnen mein meine meinen meinem meiner dein deine seine seinen ihre ihren unser dass so auch nur da
        dann viel viele tun bedeutet bedeuten
    """,
    "it": """
        il lo la i gli le l un uno una del dello della dei degli delle d al allo alla ai agli alle dal dalla dai nel
        nella nei nelle sul sulla sui e ed o ma non se che chi cui come quando dove perche quale quali quanto quanta
        quanti quante ogni e sono era erano essere stato sia ha hanno ho hai avere aveva fa fare faccio deve devo
        devono puo posso possono bisogna va vanno io tu lui lei noi voi loro mi ti si ci vi ne mio mia miei tuo suo sua
        suoi nostro questo questa questi queste quello quella di a da in con su per tra fra senza piu molto anche
        significa significano
    """,
    "ar": """
        في من إلى على عن مع بين حتى منذ خلال عند عندما حول دون بعد قبل تحت فوق و أو أم ثم لكن بل لا ما لم لن ليس إن أن
        إذا لو قد سوف هل كيف متى أين لماذا ماذا من أي أية كم هو هي هم هن أنا نحن أنت هذا هذه هؤلاء ذلك تلك هناك الذي
        التي الذين كان كانت يكون تكون يجب يمكن يمكنني يجوز كل بعض غير كما مثل أفعل به بها له لها منه منها فيه فيها
        عليه عليها إليه إليها يعني تعني معنى
    """,
}


def subject_words(text: str, language: str | None = None) -> list[Word]:
    """The words of a query without function words, in order, each once; all of them where nothing else is there.

    Without ``language`` it is the one whose function words are the most, if there are two or more of them: "red hat"
    has one that is German, and no more.
    """
    words = list({word.form: word for word in words_of(text)}.values())
    lists = _forms()
    if language is None:
        counts = {tag: sum(word.form in known for word in words) for tag, known in lists.items()}
        best = max(counts.values())
        tags = [tag for tag, count in counts.items() if count == best >= 2]
        language = tags[0] if len(tags) == 1 else None
    known = lists.get(language or "", frozenset())
    kept = [word for word in words if word.form not in known and not _ACROSS.match(word.form)]
    return kept or words


@lru_cache(maxsize=1)
def _forms() -> dict[str, frozenset[str]]:
    return {tag: frozenset(word.form for word in words_of(words)) for tag, words in _LISTS.items()}

/* moses_abbreviations.c: the abbreviations that Moses knows (moses.h). */
#include "text/moses.h"

#include <string.h>

/* Words whose period does not end a sentence, in the languages of the published FSMT models.
   Source: the nonbreaking prefixes of Moses. Entries that contain a period themselves are left out,
   because keeps_period recognizes those words by their period. */

static const char english[] =
    " Adj Adm Adv Apr Asst Aug Bart Bldg Brig Bros Capt Cmdr Col Comdr Con Corp Cpl DR Dec Dr Drs "
    "Ens Feb Gen Gov Hon Hosp Hr Insp Jan Jul Jun Lt MM"
    " MR MRS MS Maj Mar Messrs Mlle Mme Mr Mrs Ms Msgr Nos Nov Nr Oct Op Ord Pfc Ph Prof Pvt Rep "
    "Reps Res Rev Rs Rt Sen Sens Sep Sfc Sgt Sr St Supt"
    " Surg rev v vs ";
static const char english_before_numbers[] = " Art No pp ";
static const char german[] =
    " Adj Adm Adv Art Asst BSE Bart Bldg Brig Bros Buchst Ca Capt Chr Cmdr Co Col Comdr Con Corp "
    "Cpl DR Dkr Dr Ens Gen Gov Hon Hosp Insp Lt Ltd MM MR"
    " MRS MS Maj Messrs Mio Mlle Mme Mr Mrd Mrs Ms Msgr MwSt No Nos Nr Op Ord Pfc Ph Prof Pvt Rep "
    "Reps Res Rev Rt SA Sen Sens Sfc Sgt Sr St Std Supt"
    " Surg Zt bzgl bzw ca dergl dgl etc evtl ff ggf jun pp sen sog sogen spp usf usw vgl vs zzt"
    " II III IV IX VI VII VIII XI XII XIII XIV XV XVI XVII XVIII XIX XX ii iii iv ix vi vii viii "
    "xi xii xiii xiv xv xvi xvii xviii xix xx ";
static const char russian[] =
    " Исп Тел бульв в вв г га гг гл гос д дм доп др е ед зам и инд исп к кап кв кг кл км кол комн "
    "коп куб л лиц лл м макс мг мин мл млн млрд мм н наб"
    " нач неуд ном о обл обр общ ок ост отл п пер перераб пл пос пр просп проф р ред руб с сб св "
    "см соч ср ст стр т тел тех тт туп тыс уд ул уч физ х"
    " хор ч чел шт э экз ";
/* Units after one digit, and centuries after one Roman numeral. */
static const char russian_units[] = " г га гг дм кг км л м мг мм см т ",
                  russian_centuries[] = " в вв ";

/* Returns whether a list of words, with spaces around each, contains a word. */
static bool lists(const char *words, const char *word, size_t length)
{
    for (const char *at = words; (at = strchr(at, ' ')) && at[1]; at++)
        if (!strncmp(at + 1, word, length) && at[1 + length] == ' ') return true;
    return false;
}

/* Returns whether a word is a German abbreviation, a number of one or two digits or a small
   letter. */
static bool is_german(const char *word, size_t length)
{
    bool figure = word[0] >= '1' && word[0] <= '9' &&
                  (length == 1 || (length == 2 && word[1] >= '0' && word[1] <= '9'));
    return figure || (length == 1 && word[0] >= 'a' && word[0] <= 'z') ||
           lists(german, word, length);
}

/* Returns whether a word is a Russian abbreviation or a capital letter. */
static bool is_russian(const char *word, size_t length)
{
    size_t size = 1;
    uint32_t first = heed_utf8_at(word, 0, &size);
    if (size == length && first >= 0x410 && first <= 0x42F) return true; /* a capital letter */
    if (length > 1 && first >= '0' && first <= '9')
        return lists(russian_units, word + 1, length - 1);
    if (length > 1 && first < 0x80 && strchr("CILMVX", (int)first))
        return lists(russian_centuries, word + 1, length - 1);
    return lists(russian, word, length);
}

bool heed_moses_speaks(const char *language)
{
    return !strcmp(language, "en") || !strcmp(language, "de") || !strcmp(language, "ru");
}

heed_moses_period heed_moses_abbreviation(const char *language, const char *word, size_t length)
{
    if (!length || memchr(word, ' ', length)) return HEED_MOSES_ENDS;
    bool stays = length == 1 && word[0] >= 'A' && word[0] <= 'Z';
    if (!strcmp(language, "de")) stays |= is_german(word, length);
    else if (!strcmp(language, "ru")) stays |= is_russian(word, length);
    else if (lists(english_before_numbers, word, length)) return HEED_MOSES_BEFORE_NUMBERS;
    else stays |= lists(english, word, length);
    return stays ? HEED_MOSES_STAYS : HEED_MOSES_ENDS;
}
